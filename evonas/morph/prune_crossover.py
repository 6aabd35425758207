"""Crossover of pruning genes: shares group by group from either parent, the schedule from one."""

from dataclasses import replace

from evonas.genome import Edit, Genome
from evonas.genome.pruning import PruningGenes
from evonas.morph.gene_edit import proposed
from evonas.morph.gene_start import Start, share_bound
from evonas.morph.prune_genes import Prune
from evonas.morph.prune_options import PruningOptions
from evonas.morph.prune_schedule import refitted
from evonas.seeds import Rng


def crossed_genes(
    base: Genome, first: PruningGenes, second: PruningGenes, options: PruningOptions, rng: Rng
) -> Edit | None:
    """Return the edit that gives `base` genes of both parents, or None if theirs are the same.

    Counts are brought to the target of `first`, or where it has none to the mean of the shares that
    the parents keep. If their schedules prune different things (filters, single weights), both are
    read as genes of the one that is drawn.

    Args:
        base: The genome whose weights the child starts from, and whose groups are named.
        first: Genes of one parent.
        second: Genes of the other.
        options: What the search allows.
        rng: Draws the schedule, and for each group the parent.
    """
    if first == second:
        return None
    return proposed(base, Prune.operator, lambda: _crossed(base, (first, second), options, rng))


def _crossed(
    base: Genome, parents: tuple[PruningGenes, PruningGenes], options: PruningOptions, rng: Rng
) -> PruningGenes:
    schedule = parents[int(rng.integers(2))].schedule
    starts = [refitted(Start.read(base, genes, options), base, schedule) for genes in parents]
    first, second = (start.genes for start in starts)
    taken = {name for name in first.kept if rng.random() < 0.5}
    genes = replace(
        first,
        kept={name: (second if name in taken else first).kept[name] for name in first.kept},
        affine={
            name: (second if name in taken else first).affine.get(name, pair)
            for name, pair in first.affine.items()
        },
    )
    start = replace(starts[0], genes=genes)
    if parents[0].target is not None and schedule.granularity == "filter":
        return start.bounded(parents[0].target).genes
    shares = [one.kept_ratio for one in starts]
    return start.bounded(share_bound(start.prunable, sum(shares) / len(shares), options)).genes
