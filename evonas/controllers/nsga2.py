"""NSGA-II for several objectives, one birth at a time.

A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, Deb, Pratap, Agarwal, Meyarivan, 2002,
https://doi.org/10.1109/4235.996017: parents are drawn by binary tournaments on rank and crowding,
survivors are the best by the same order.

Differences from the paper: one survivor is chosen per birth and not one half per generation (On the
Effect of the Steady-State Selection Scheme in Multi-Objective Genetic Algorithms, Durillo, Nebro,
Luna, Alba, 2009), so that births need not wait for each other; a child is made by crossover or by
mutation, not by both, and crossover replays edits.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.controllers.controller import Controller, Question
from evonas.controllers.population import Population, check_positive, check_share
from evonas.controllers.variation import Breeder
from evonas.genome import Birth
from evonas.history import History
from evonas.seeds import Rng
from evonas.selection import tournament

ROUND = 2
"""Tournaments are binary."""


@final
@dataclass(frozen=True, kw_only=True)
class Nsga2(Controller):
    """Rank and crowding choose the parents and the survivors.

    Attributes:
        population: How many live at a time.
        crossover_ratio: Share of births by crossover; mutation alone brings new edits.
        first_edits: The mutants that start the population have one to so many edits.
    """

    source: ClassVar[str] = (
        "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, Deb et al., 2002, "
        "https://doi.org/10.1109/4235.996017"
    )

    population: int = 20
    crossover_ratio: float = 0.3
    first_edits: int = 3

    def __post_init__(self) -> None:
        check_positive(population=self.population, first_edits=self.first_edits)
        check_share(crossover_ratio=self.crossover_ratio)

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        """Return a first mutant, then a crossover or a mutant of tournament winners."""
        breeder = Breeder(history, question, rng)
        population = Population(self.population, 1.0, tuple(question.objectives), question.seed)
        ranked = population.ranked(history)
        if number < self.population or not ranked:
            return breeder.founder(ranked, number, self.first_edits)
        if rng.random() < self.crossover_ratio:
            places = {tournament(rng, range(len(ranked)), ROUND) for _ in range(2)}
            if child := breeder.crossed([ranked[place] for place in sorted(places)]):
                return child
        return breeder.mutant(tournament(rng, ranked, ROUND))
