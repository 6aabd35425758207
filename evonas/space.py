"""The search-space contract: what a candidate may be, and how it is built and varied."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from optuna.distributions import BaseDistribution
from torch import nn

from evonas.genome import Genome
from evonas.genome.cohort_kinds import Tap
from evonas.morph.mutation import Mutation
from evonas.networks import Signatures
from evonas.seeds import Rng
from evonas.state import State


class SearchSpace(ABC):
    """A set of genomes. Implementations are final, frozen dataclasses; all methods are pure.

    A space of layer graphs writes `build`, `inherit` and `crossover` as one call each of the
    functions of the same names in `evonas.morph`, and `taps` as one of
    `evonas.genome.taps.network_taps`.

    Attributes:
        source: The publication or idea the space comes from.
    """

    group: ClassVar[str] = "evonas.spaces"
    source: ClassVar[str]

    @abstractmethod
    def seed(self, signatures: Signatures) -> Genome:
        """Return the genome from which every lineage starts, fit for these networks.

        Raises:
            ConfigError: if the space has no candidate with such inputs and outputs.
        """

    @abstractmethod
    def build(self, genome: Genome) -> nn.Module:
        """Build the candidate with fresh weights from torch's global generator (seeded before)."""

    @abstractmethod
    def mutations(self) -> Mapping[str, Mutation]:
        """Return the ways to vary a genome, by name."""

    @abstractmethod
    def inherit(self, child: Genome, parents: Sequence[tuple[Genome, State]], rng: Rng) -> State:
        """Return the child's state at birth; the first parent's edits are a prefix of its own.

        Raises:
            EditError: if the child does not stem from the first parent.
        """

    @abstractmethod
    def crossover(self, first: Genome, second: Genome, rng: Rng) -> Genome | None:
        """Return a child that equals `first` at birth and carries edits of `second`, or None."""

    @abstractmethod
    def taps(self, genome: Genome) -> Mapping[str, Tap]:
        """Return the places in the network that a cohort may read, by names that outlive edits.

        The names are those of `evonas.genome.taps`: `s1`, `s2`, ... for what each stage ends with,
        `last`, `gap` and `logits`. A network without such a place leaves its name out.

        Raises:
            EditError: if the candidate is not one network named `net`.
        """

    @abstractmethod
    def knobs(self, seed: Genome) -> Mapping[str, BaseDistribution]:
        """Return a flat encoding for samplers of fixed vectors; empty if the space has none."""

    @abstractmethod
    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Return the genome that `values` of the knobs describe, as edits of `seed`."""
