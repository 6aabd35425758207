"""The contract of a pruning preset: a published method as a point of the family of schedules."""

from abc import ABC, abstractmethod
from typing import ClassVar

from evonas.genome.schedule import Schedule


class Preset(ABC):
    """A published way to prune. Implementations are final, frozen dataclasses.

    The fields are what a user may set in the run file; the docstring says which parts of the
    method are a reconstruction.

    Attributes:
        paper: Title, authors, year, link.
    """

    group: ClassVar[str] = "evonas.presets"
    paper: ClassVar[str]

    @abstractmethod
    def schedule(self) -> Schedule:
        """Return the schedule, with the preset's entry-point name in `preset`."""
