"""Operators on what an edge says: its loss, its weight, its temperature, and when."""

from dataclasses import dataclass, field
from typing import ClassVar, final

from evonas.genome import Edit, Genome
from evonas.genome.cohort import Cohort
from evonas.morph.cohort.edit import proposed, remaining, with_cohort
from evonas.morph.cohort.example import example_options, with_example
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.weights import jittered, rescheduled, reweighed
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class CohortLoss(Mutation):
    """Give an edge another loss between the same ends.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-loss"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortLoss":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the edge and its loss."""

        def vary(cohort: Cohort) -> Cohort:
            return reweighed(Joints.of(genome, cohort, self.options), rng)

        return proposed(genome, self.operator, self.options, vary)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of those who are still there."""
        del before, edit, rng
        return remaining(after, state)


@final
@dataclass(frozen=True, kw_only=True)
class CohortJitter(Mutation):
    """Scale the weight or the temperature of an edge; now and then switch it off, or on again.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-jitter"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "this project; log-normal steps as in Evolution Strategies, Beyer and Schwefel, 2002,"
        " https://doi.org/10.1023/A:1015059928466"
    )

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortJitter":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the edge and the factor."""

        def vary(cohort: Cohort) -> Cohort:
            return jittered(Joints.of(genome, cohort, self.options), rng)

        return proposed(genome, self.operator, self.options, vary)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of those who are still there."""
        del before, edit, rng
        return remaining(after, state)


@final
@dataclass(frozen=True, kw_only=True)
class CohortSchedule(Mutation):
    """Change how the weight of an edge moves over the training.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-schedule"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortSchedule":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the edge and the curve."""

        def vary(cohort: Cohort) -> Cohort:
            return rescheduled(Joints.of(genome, cohort, self.options), rng)

        return proposed(genome, self.operator, self.options, vary)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of those who are still there."""
        del before, edit, rng
        return remaining(after, state)
