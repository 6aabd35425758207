"""Changes of how pruning goes on: a step of the schedule, or a jump to another method's."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.pruning import PruningGenes
from evonas.genome.schedule import Schedule
from evonas.morph.gene_edit import proposed, with_genes
from evonas.morph.gene_start import Start, prunable_by, share_bound
from evonas.morph.mutation import Mutation
from evonas.morph.prune_options import PruningOptions
from evonas.morph.schedule_walk import walked
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class PruneCurves(Mutation):
    """Move one curve, or one number, of the schedule; the counts stay.

    Attributes:
        options: What the search allows.
    """

    operator: ClassVar[str] = "prune-curves"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = (
        "this project; log-normal steps as in Evolution Strategies, Beyer and Schwefel, 2002,"
        " https://doi.org/10.1023/A:1015059928466"
    )

    options: PruningOptions = field(default_factory=PruningOptions)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw what moves, and where to."""

        def vary() -> PruningGenes:
            genes = Start.of(genome, self.options, rng).genes
            return replace(genes, schedule=walked(genes.schedule, rng))

        return proposed(genome, self.operator, vary)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_genes(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state as it is: nothing has been pruned yet."""
        del before, after, edit, rng
        return state


@final
@dataclass(frozen=True, kw_only=True)
class PrunePreset(Mutation):
    """Jump to another schedule of the search; the counts are fitted to what it prunes.

    Attributes:
        options: What the search allows; without a second schedule there is nothing to jump to.
    """

    operator: ClassVar[str] = "prune-preset"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    options: PruningOptions = field(default_factory=PruningOptions)

    @classmethod
    def example(cls) -> "PrunePreset":
        """Return the mutation between pruning filters and pruning single weights."""
        schedules = (Schedule(preset="one"), Schedule(preset="other", granularity="weight"))
        return cls(options=PruningOptions(schedules=schedules))

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw the schedule."""
        if len(self.options.schedules) == 1:
            return None
        return proposed(genome, self.operator, lambda: _jumped(genome, self.options, rng))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes in."""
        return with_genes(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Return the state as it is: nothing has been pruned yet."""
        del before, after, edit, rng
        return state


def _jumped(genome: Genome, options: PruningOptions, rng: Rng) -> PruningGenes:
    start = Start.of(genome, options, rng)
    others = [one for one in options.schedules if one != start.genes.schedule]
    if not others:
        raise EditError("all schedules of the search are the same")
    schedule = others[int(rng.integers(len(others)))]
    return refitted(start, genome, schedule).genes


def refitted(start: Start, genome: Genome, schedule: Schedule) -> Start:
    """Return the genes with another schedule, and counts of what that prunes.

    They keep their target, or else the share that they kept before.

    Raises:
        EditError: if there is nothing that it can prune, or too little.
    """
    old = start.genes
    genes = replace(old, schedule=schedule)
    if (schedule.residual, schedule.granularity) == (
        old.schedule.residual,
        old.schedule.granularity,
    ):
        return replace(start, genes=genes)
    prunable = prunable_by(genome, schedule)
    moved = Start(prunable, replace(genes, kept=prunable.fitted(genes)), start.options)
    if old.target is not None and schedule.granularity == "filter":
        return moved.bounded(old.target)
    return moved.bounded(share_bound(prunable, start.kept_ratio, start.options))
