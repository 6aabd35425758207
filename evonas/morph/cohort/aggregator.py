"""The operator on aggregators: what makes one target of several teachers."""

from dataclasses import dataclass, field
from typing import ClassVar, final

from evonas.genome import Edit, Genome
from evonas.genome.cohort import Cohort
from evonas.morph.cohort.edit import proposed, remaining, with_cohort
from evonas.morph.cohort.ensembles import reassembled
from evonas.morph.cohort.example import example_options, with_example
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class CohortAggregator(Mutation):
    """Make one target of two teachers, or weigh the parts of a target in another way.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "cohort-aggregator"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: CohortOptions = field(default_factory=CohortOptions)

    @classmethod
    def example(cls) -> "CohortAggregator":
        """Return the mutation with a few losses."""
        return cls(options=example_options())

    @classmethod
    def example_genome(cls, genome: Genome) -> Genome:
        """Return the genome with a cohort."""
        return with_example(genome)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the aggregator and its rule."""

        def vary(cohort: Cohort) -> Cohort:
            return reassembled(Joints.of(genome, cohort, self.options), rng)

        return proposed(genome, self.operator, self.options, vary)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_cohort(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state of those who are still there."""
        del before, edit, rng
        return remaining(after, state)
