"""Which genomes have been tried, so that none is paid for again by mistake."""

from dataclasses import dataclass
from typing import final

from evonas.history import Evaluation, Failure, History, Individual

_FINAL = ("infeasible",)
"""Failures that a second attempt cannot mend."""


@final
@dataclass(frozen=True)
class Keys:
    """An immutable set that grows cheaply: blocks of falling size, merged like a binary counter.

    Adding to a frozenset copies it all; here a key is copied log2(n) times over its life.
    """

    blocks: tuple[frozenset[str], ...] = ()

    def __contains__(self, key: str) -> bool:
        return any(key in block for block in self.blocks)

    def plus(self, key: str) -> "Keys":
        """Return the set with one more key."""
        blocks, last = self.blocks, frozenset((key,))
        while blocks and len(blocks[-1]) <= len(last):
            blocks, last = blocks[:-1], blocks[-1] | last
        return Keys((*blocks, last))


@final
@dataclass(frozen=True)
class Tried:
    """The genomes a search is done with: evaluated, failed for good, or failed twice.

    Attributes:
        done: Their keys.
        failed: Keys of genomes that have failed once or more.
    """

    done: Keys = Keys()
    failed: Keys = Keys()

    def __contains__(self, key: str) -> bool:
        return key in self.done


def tried(history: History) -> Tried:
    """Return what has been tried in this history."""
    return history.fold(_after, Tried(), _after)


def _after(before: Tried, individual: Individual) -> Tried:
    key = individual.birth.genome.key
    if key in before.done:
        return before
    match individual.outcome:
        case Failure(kind=kind) if kind not in _FINAL and key not in before.failed:
            return Tried(before.done, before.failed.plus(key))
        case Failure() | Evaluation():
            return Tried(before.done.plus(key), before.failed)
