"""Operators on edges: who learns from whom, and where in the networks."""

from dataclasses import dataclass, field
from typing import ClassVar, final

from evonas.genome import Edit, Genome
from evonas.genome.cohort import Cohort
from evonas.morph.cohort.edit import proposed, remaining, with_cohort
from evonas.morph.cohort.example import example_options, with_example
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.moves import added, dropped, retapped, turned, with_teachers
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class CohortAddEdge(Mutation):
    """Let a network learn something from another, or from the labels.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-add-edge"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortAddEdge":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the loss and its ends; teachers of the run may join."""

        def vary(cohort: Cohort) -> Cohort:
            known = with_teachers(cohort, self.options)
            return added(Joints.of(genome, known, self.options), rng)

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
class CohortDropEdge(Mutation):
    """Drop an edge, and whoever is of no use without it.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-drop-edge"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortDropEdge":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the edge among those that are not needed."""

        def vary(cohort: Cohort) -> Cohort:
            return dropped(Joints.of(genome, cohort, self.options), rng)

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
class CohortFlipEdge(Mutation):
    """Turn an edge round, or let both of its ends learn, or one only.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-flip-edge"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortFlipEdge":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the edge and its turn."""

        def vary(cohort: Cohort) -> Cohort:
            return turned(Joints.of(genome, cohort, self.options), rng)

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
class CohortRetap(Mutation):
    """Move one end of an edge to the tap before or after.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-retap"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortRetap":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the end and the tap."""

        def vary(cohort: Cohort) -> Cohort:
            return retapped(Joints.of(genome, cohort, self.options), rng)

        return proposed(genome, self.operator, self.options, vary)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of those who are still there."""
        del before, edit, rng
        return remaining(after, state)
