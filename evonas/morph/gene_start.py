"""Where a variation of pruning genes starts, and the bound that its counts are brought to."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

from evonas.errors import EditError
from evonas.genome import Genome
from evonas.genome.erdos_renyi import erk
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.morph.keep import Prunable
from evonas.morph.prune_options import PruningOptions
from evonas.morph.ranking import AFFINE, ranked
from evonas.morph.repair import KEPT, Budget
from evonas.seeds import Rng

Bound = tuple[str, float]
"""A measure as in `evonas.morph.repair.Budget`, and the most that there may be of it."""


@final
@dataclass(frozen=True, eq=False)
class Start:
    """Genes with complete counts, and what they are read on.

    Attributes:
        prunable: What can be pruned of the genome, for the genes' schedule.
        genes: The genes.
        options: What the search allows.
    """

    prunable: Prunable
    genes: PruningGenes
    options: PruningOptions

    @classmethod
    def of(cls, genome: Genome, options: PruningOptions, rng: Rng) -> "Start":
        """Return the genes that are pending, or new ones at the bound that the options draw.

        New ones take up the schedule by which an ancestor was pruned.

        Raises:
            EditError: if nothing can be pruned.
        """
        genes = PruningGenes.of(genome) or PruningGenes(schedule=options.schedules[0])
        if genes.kept:
            return cls.read(genome, genes, options)
        prunable = prunable_by(genome, genes.schedule)
        return cls.anew(prunable, genes.schedule, drawn_bound(prunable, options, rng), options)

    @classmethod
    def read(cls, genome: Genome, genes: PruningGenes, options: PruningOptions) -> "Start":
        """Return genes as they read on a genome.

        Raises:
            EditError: if nothing can be pruned.
        """
        prunable = prunable_by(genome, genes.schedule)
        return cls(prunable, replace(genes, kept=prunable.fitted(genes)), options)

    @classmethod
    def anew(
        cls, prunable: Prunable, schedule: Schedule, bound: Bound, options: PruningOptions
    ) -> "Start":
        """Return genes that keep one share of all channels, or what one ranking by the norm keeps.

        Of single weights small layers keep a larger share (see `evonas.genome.erdos_renyi`).
        """
        kept: dict[str, Kept] = {}
        if prunable.granularity == "weight":
            density = bound[1] / sum(prunable.sizes.values())
            counts = erk(prunable.shapes, density)
            kept = {name: Kept(counts[name], size) for name, size in prunable.sizes.items()}
        return cls(prunable, PruningGenes(schedule=schedule, kept=kept), options).bounded(bound)

    def bounded(self, bound: Bound) -> "Start":
        """Return the genes with their counts brought to a bound, as the options say.

        Raises:
            EditError: if even the smallest possible network has more.
        """
        budget = Budget(self.prunable, bound[0], self.options.least_ratio)
        affine = self.genes.affine
        match self.options.ratios:
            case "affine":
                affine = {name: affine.get(name, AFFINE) for name in self.prunable.sizes}
                kept = ranked(budget, self.options.norms, affine, bound[1])
            case "uniform":
                kept = budget.within({}, bound[1])
            case "free":
                kept = budget.within(self.ratios, bound[1])
        target = None if bound[0] == KEPT else bound
        genes = replace(self.genes, kept=kept, target=target, affine=affine)
        return replace(self, genes=genes)

    @property
    def ratios(self) -> Mapping[str, float]:
        """The share that is kept of each name."""
        return {name: gene.keep / gene.width for name, gene in self.genes.kept.items()}

    @property
    def kept_ratio(self) -> float:
        """The share that is kept of all there is."""
        kept, width = (sum(numbers) for numbers in zip(*self.genes.kept.values(), strict=True))
        return kept / width

    def with_kept(self, kept: Mapping[str, Kept]) -> "Start":
        """Return the genes with other counts, brought to their own target if they have one."""
        start = replace(self, genes=replace(self.genes, kept={**self.genes.kept, **kept}))
        return start if self.genes.target is None else start.bounded(self.genes.target)


def prunable_by(genome: Genome, schedule: Schedule) -> Prunable:
    """Return what a schedule can prune of a genome.

    Raises:
        EditError: if that is nothing.
    """
    prunable = Prunable.of(genome, schedule.residual, schedule.granularity)
    if not prunable.sizes:
        raise EditError(f"no {schedule.granularity} of this genome can be pruned")
    return prunable


def drawn_bound(prunable: Prunable, options: PruningOptions, rng: Rng) -> Bound:
    """Draw what counts are brought to: the options' target, or a share of all there is.

    A target is drawn between what the smallest possible network and the whole one have.

    Raises:
        EditError: if the whole network meets the target, or the smallest does not.
    """
    target = options.target
    if target is None:
        return share_bound(prunable, 1.0 - float(rng.uniform(*options.pruned_ratio)), options)
    budget = Budget(prunable, target.measure, options.least_ratio)
    smallest, whole = budget.cost(budget.least), budget.cost(budget.sizes)
    low, high = max(target.low, smallest), min(target.high, whole)
    if low > high or whole <= target.low:
        raise EditError(
            f"the network has {whole:g} {target.measure} and at least {smallest:g} if pruned; the"
            f" target is {target.low:g} to {target.high:g}"
        )
    number = math.exp(float(rng.uniform(math.log(low), math.log(high))))
    return target.measure, min(max(number, low), high)


def share_bound(prunable: Prunable, kept_ratio: float, options: PruningOptions) -> Bound:
    """Return the bound of a share of all there is, or of the least that must stay."""
    budget = Budget(prunable, KEPT, options.least_ratio)
    return KEPT, max(budget.cost(budget.least), kept_ratio * budget.cost(budget.sizes))
