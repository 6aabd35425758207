"""The contract of a cohort preset: a published method as nodes, edges and stages."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from evonas.genome.cohort import Cohort
from evonas.genome.cohort_kinds import Tap


@final
@dataclass(frozen=True, kw_only=True)
class Available:
    """What a preset may refer to.

    Attributes:
        taps: Of the seed network, and so of members.
        depths: How many blocks each stage of the seed network has; empty if it cannot be nested.
        teachers: The taps of the run file's teachers, by node; `logits` alone of a teacher that is
            no plain graph of layers.
    """

    taps: Mapping[str, Tap]
    depths: tuple[int, ...]
    teachers: Mapping[str, Mapping[str, Tap]]


class CohortPreset(ABC):
    """A published way to learn together. Implementations are final, frozen dataclasses.

    The fields are what a user may set in the run file; the docstring says which parts of the
    method are a reconstruction.

    Attributes:
        paper: Title, authors, year, link.
        teachers: How many teachers it needs.
    """

    group: ClassVar[str] = "evonas.cohorts"
    paper: ClassVar[str]
    teachers: ClassVar[int] = 0

    @abstractmethod
    def cohort(self, available: Available) -> Cohort:
        """Return the cohort, with the preset's entry-point name in `preset`.

        Raises:
            ConfigError: if what is available does not do.
        """
