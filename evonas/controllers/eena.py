"""EENA's steady-state evolution, guided by what the operators have earned so far.

EENA: Efficient Evolution of Neural Architecture, Zhu, An, Yang, Xu, Zhao, Xu, 2019,
https://arxiv.org/abs/1905.07320. A population starts as mutants of one trained network; every birth
is a mutant of a tournament's winner or a crossover of the two best; then the worst leaves or, as
likely, the oldest.

Differences from the paper: crossover replays one parent's edits on the other; some births are
control children, against which edits are credited, and mutations are drawn by that credit; several
objectives rank by dominance, then by crowding. The paper's rate of crossover is not known to us.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, final

from evonas.controllers.controller import Controller, Question
from evonas.controllers.credit import Bookkeeping, Books, chances
from evonas.controllers.population import Population, check_positive, check_share
from evonas.controllers.variation import Breeder
from evonas.errors import ConfigError
from evonas.genome import CONTROL, Birth
from evonas.history import History, Individual
from evonas.seeds import Rng
from evonas.selection import tournament

REMEMBERED = 4
"""For how many populations' worth of parents the books are kept."""


@final
@dataclass(frozen=True, kw_only=True)
class Eena(Controller):
    """Steady-state evolution with tournaments, replay crossover and control children.

    Attributes:
        population: How many live at a time; a generation is as many births.
        tournament: How many compete to be a parent.
        worst_leaves: Probability (lambda) that the worst leaves and not the oldest.
        crossover_every: Every so many births one is a crossover; 0 for none.
        controls: How many births of a generation clone its most used parents, unedited.
        floor: The least probability of a mutation.
        first_edits: The mutants that start the population have one to so many edits.
    """

    source: ClassVar[str] = (
        "EENA: Efficient Evolution of Neural Architecture, Zhu et al., 2019, "
        "https://arxiv.org/abs/1905.07320"
    )

    population: int = 20
    tournament: int = 3
    worst_leaves: float = 0.5
    crossover_every: int = 4
    controls: int = 2
    floor: float = 0.05
    first_edits: int = 3

    def __post_init__(self) -> None:
        check_positive(
            population=self.population,
            tournament=self.tournament,
            first_edits=self.first_edits,
        )
        check_share(worst_leaves=self.worst_leaves, floor=self.floor)
        if not 0 <= self.controls < self.population or self.crossover_every < 0:
            raise ConfigError(
                f"controls is {self.controls!r} and crossover_every {self.crossover_every!r}; "
                "give 0 or more, and fewer controls than the population"
            )

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        """Return a first mutant, a control child, a crossover or a mutant, by the number."""
        breeder = Breeder(history, question, rng)
        objectives = tuple(question.objectives)
        population = Population(self.population, self.worst_leaves, objectives, question.seed)
        ranked = population.ranked(history)
        if number < self.population or not ranked:
            return breeder.founder(ranked, number, self.first_edits)
        books = Bookkeeping(objectives[0], REMEMBERED * self.population).books(history)
        if parent := self._uncontrolled(history, books, number % self.population):
            return breeder.control(parent)
        if self._crosses(number) and (child := breeder.crossed(ranked)):
            return child
        odds = chances(books.earned, question.mutations, self.floor)
        return breeder.mutant(tournament(rng, ranked, self.tournament), chances=odds)

    def _crosses(self, number: int) -> bool:
        return self.crossover_every > 0 and (number + 1) % self.crossover_every == 0

    def _uncontrolled(self, history: History, books: Books, place: int) -> Individual | None:
        """Return the last generation's parent at this place by use, if it has no control child.

        The first births of a generation are for its controls, one place each; all of them look at
        the same births, those that the first one may know.
        """
        if place >= self.controls:
            return None
        last = len(history) - place
        recent = [one.birth for one in history[max(1, last - self.population) : last]]
        uses = Counter(
            birth.parents[0] for birth in recent if birth.parents and birth.operator != CONTROL
        )
        by_use = sorted(uses, key=lambda parent: (-uses[parent], -parent))
        if place >= len(by_use) or books.has_control(by_use[place]):
            return None
        return history.member(by_use[place])
