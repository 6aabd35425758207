"""Regularized (aging) evolution: whatever its fitness, the oldest leaves.

Regularized Evolution for Image Classifier Architecture Search, Real, Aggarwal, Huang, Le, 2019,
https://arxiv.org/abs/1802.01548.

Differences from the paper: children inherit their parent's weights; the population starts as
mutants of the trained seed and not as random architectures; smaller defaults (the paper: 100
and 25) for budgets of hundreds of candidates and not of twenty thousand.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.controllers.controller import Controller, Question
from evonas.controllers.population import Population, check_positive
from evonas.controllers.variation import Breeder
from evonas.genome import Birth
from evonas.history import History
from evonas.seeds import Rng
from evonas.selection import tournament


@final
@dataclass(frozen=True, kw_only=True)
class Aging(Controller):
    """Tournament, one edit, and the oldest leaves.

    Attributes:
        population: How many live at a time.
        tournament: How many compete to be the parent.
        first_edits: The mutants that start the population have one to so many edits.
    """

    source: ClassVar[str] = (
        "Regularized Evolution for Image Classifier Architecture Search, Real et al., 2019, "
        "https://arxiv.org/abs/1802.01548"
    )

    population: int = 20
    tournament: int = 5
    first_edits: int = 3

    def __post_init__(self) -> None:
        check_positive(
            population=self.population,
            tournament=self.tournament,
            first_edits=self.first_edits,
        )

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        """Return a first mutant, then a mutant of the tournament's winner."""
        breeder = Breeder(history, question, rng)
        population = Population(self.population, 0.0, tuple(question.objectives), question.seed)
        ranked = population.ranked(history)
        if number < self.population or not ranked:
            return breeder.founder(ranked, number, self.first_edits)
        return breeder.mutant(tournament(rng, ranked, self.tournament))
