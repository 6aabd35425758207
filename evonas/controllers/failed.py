"""Which genomes have failed in training, so that none is tried a third time."""

from dataclasses import dataclass, field
from typing import final

from evonas.controllers.tried import Keys
from evonas.genome import Genome
from evonas.history import Failure, History, Individual

_UNTRAINED = ("infeasible", "storage")


@final
@dataclass(frozen=True)
class _Failed:
    """The keys of genomes that have failed once or more, and of those that did so again."""

    once: Keys = field(default_factory=Keys)
    twice: Keys = field(default_factory=Keys)


def failures_of(history: History, genome: Genome) -> list[tuple[Individual, Failure]]:
    """Return the failures of a genome that has failed twice or more, and nothing of any other.

    What was not even trained does not count: that is known before the next time, too.
    """
    if genome.key not in history.fold(_after, _Failed(), _after).twice:
        return []
    return [
        (one, outcome)
        for one in history
        if one.birth.genome.key == genome.key and (outcome := _failed_trial(one))
    ]


def _after(before: _Failed, individual: Individual) -> _Failed:
    key = individual.birth.genome.key
    if key in before.twice or _failed_trial(individual) is None:
        return before
    if key in before.once:
        return _Failed(before.once, before.twice.plus(key))
    return _Failed(before.once.plus(key), before.twice)


def _failed_trial(individual: Individual) -> Failure | None:
    match individual.outcome:
        case Failure(kind=kind) as failure if kind not in _UNTRAINED:
            return failure
        case _:
            return None
