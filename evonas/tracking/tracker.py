"""The tracker contract: a mirror of the search that may fail without harm."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from evonas.history import Individual, Objective


@final
@dataclass(frozen=True)
class SearchInfo:
    """What identifies a search to a tracker.

    Attributes:
        name: Of the search (the run folder's).
        folder: The run folder, for weights.
        config: The resolved run file, as plain data.
        objectives: For the front.
    """

    name: str
    folder: Path
    config: dict[str, Any]
    objectives: Sequence[Objective]


class Mirror(ABC):
    """A started tracker. No method raises for trouble of the tracking system, nor waits for it."""

    @abstractmethod
    def finished(self, individual: Individual) -> None:
        """Take an individual in; mirrored in the background, once, whatever is repeated."""

    @abstractmethod
    def close(self, front: Sequence[int], timeout: float) -> str:
        """Log the front, flush for at most `timeout` seconds; say in a line what is missing."""


class Tracker(ABC):
    """A tracking system. Implementations are final, frozen dataclasses."""

    group: ClassVar[str] = "evonas.trackers"

    @abstractmethod
    def start(self, search: SearchInfo) -> Mirror:
        """Open the mirror of a search, continuing the one that is there."""
