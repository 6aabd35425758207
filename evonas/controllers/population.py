"""A steady-state population as a fold of the history: one is born, one leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import final

from evonas import seeds
from evonas.errors import ConfigError
from evonas.genome import FINAL
from evonas.history import Evaluation, History, Individual, Objective
from evonas.selection import fittest_first


@final
@dataclass(frozen=True)
class Member:
    """An individual that may have children."""

    number: int
    losses: tuple[float, ...]


@final
@dataclass(frozen=True)
class Population:
    """Who is alive after every birth. It is its own fold step, and names it.

    Whoever was evaluated joins; failures, repeats, losses that are no numbers and last trainings do
    not. Once there are more than `size`, the worst leaves with probability `worst_leaves`, else the
    oldest. That draw belongs to the number of the newborn, so a history tells its population.
    """

    size: int
    worst_leaves: float
    objectives: tuple[Objective, ...]
    seed: int

    def members(self, history: History) -> tuple[Member, ...]:
        """Return who is alive, oldest first."""
        return history.fold(self, (), self)

    def ranked(self, history: History) -> list[Individual]:
        """Return who is alive, fittest first."""
        members = self.members(history)
        order = fittest_first([one.losses for one in members])
        return [history.member(members[index].number) for index in order]

    def __call__(self, members: tuple[Member, ...], born: Individual) -> tuple[Member, ...]:
        """Return the population after one more birth."""
        if (newcomer := _member(born, self.objectives)) is None:
            return members
        members = (*members, newcomer)
        if len(members) <= self.size:
            return members
        share = seeds.integer(self.seed, "leave", born.number) / 2**63
        leaving = _worst(members) if share < self.worst_leaves else 0
        return members[:leaving] + members[leaving + 1 :]


def check_positive(**fields: int) -> None:
    """Check the whole-number fields of a controller.

    Raises:
        ConfigError: naming the first that is less than 1.
    """
    for name, value in fields.items():
        if value < 1:
            raise ConfigError(f"{name} is {value!r}; give 1 or more")


def check_share(**fields: float) -> None:
    """Check the fields of a controller that are probabilities.

    Raises:
        ConfigError: naming the first that is none.
    """
    for name, value in fields.items():
        if not 0.0 <= value <= 1.0:
            raise ConfigError(f"{name} is {value!r}; give 0 to 1")


def _member(born: Individual, objectives: Sequence[Objective]) -> Member | None:
    outcome = born.outcome
    if not isinstance(outcome, Evaluation) or outcome.same_as is not None:
        return None
    losses = tuple(objective.loss(outcome) for objective in objectives)
    is_member = born.birth.operator != FINAL and all(map(isfinite, losses))
    return Member(born.number, losses) if is_member else None


def _worst(members: Sequence[Member]) -> int:
    return fittest_first([one.losses for one in members])[-1]
