"""The tracker contract: a mirror of the search that may fail without harm."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from evonas.history import Individual, Objective

Loaded = tuple[nn.Module, NDArray[np.generic]]
"""A trained network in eval mode, and a batch of two or more inputs as an example."""

LoadModel = Callable[[int], Mapping[str, Loaded]]
"""Returns the networks of an individual by name."""

Told = Callable[[int, int], None]
"""Is told, now and then, how many individuals are mirrored, of how many."""


@final
@dataclass(frozen=True)
class SearchInfo:
    """What identifies a search to a tracker.

    Attributes:
        name: Of the search (the run folder's).
        folder: The run folder, for weights.
        config: The resolved run file, as plain data.
        objectives: For the front.
        load: Builds a member of the front, to be logged as one model a network; called by the
            tracker's thread while the search waits in `close`. None where candidates are no
            networks.
    """

    name: str
    folder: Path
    config: dict[str, Any]
    objectives: Sequence[Objective]
    load: LoadModel | None = None


class Mirror(ABC):
    """A started tracker. No method raises for trouble of the tracking system, nor waits for it.

    Individuals come in any order in which parents precede their children; a continued search hands
    in those it already has as well, from the seed on, since costs and credits refer to them.
    """

    @abstractmethod
    def finished(self, individual: Individual) -> None:
        """Take an individual in; mirrored in the background, once, whatever is repeated."""

    @abstractmethod
    def close(self, front: Sequence[int], timeout: float, told: Told | None = None) -> str:
        """Log the front, flush for at most `timeout` seconds; say in a line what is missing.

        The line is empty if nothing is. An interrupt while it waits leaves what is mirrored whole.
        """


class Tracker(ABC):
    """A tracking system. Implementations are final, frozen dataclasses."""

    group: ClassVar[str] = "evonas.trackers"

    @abstractmethod
    def start(self, search: SearchInfo) -> Mirror:
        """Open the mirror of a search, continuing the one that is there."""


def track(  # noqa: PLR0913 - a mirror's whole life
    tracker: Tracker,
    search: SearchInfo,
    history: Iterable[Individual],
    front: Sequence[int],
    timeout: float,
    *,
    told: Told | None = None,
) -> str:
    """Mirror a recorded search, or what of it is not there yet; say what is still missing."""
    mirror = tracker.start(search)
    for individual in history:
        mirror.finished(individual)
    return mirror.close(front, timeout, told)
