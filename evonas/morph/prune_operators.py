"""Which mutations of the pruning genes make sense for what a search may ask."""

from collections.abc import Mapping

from evonas.morph.mutation import Mutation
from evonas.morph.prune_affine import PruneAffine
from evonas.morph.prune_counts import PruneJitter, PruneScale, PruneTransfer
from evonas.morph.prune_genes import Prune
from evonas.morph.prune_options import PruningOptions
from evonas.morph.prune_schedule import PruneCurves, PrunePreset


def mutations_for(options: PruningOptions) -> Mapping[str, Mutation]:
    """Return the mutations that have edits for these options, by operator.

    Counts that are all alike are neither jittered nor transferred, those of a ranking only ranked
    anew; a fixed target leaves nothing to scale, and one schedule nothing to jump to.
    """
    found: list[Mutation] = [Prune(options=options), PruneCurves(options=options)]
    if options.ratios == "free":
        found += [PruneTransfer(options=options), PruneJitter(options=options)]
    if options.ratios == "affine":
        found.append(PruneAffine(options=options))
    if options.target is None or options.target.low < options.target.high:
        found.append(PruneScale(options=options))
    if len(options.schedules) > 1:
        found.append(PrunePreset(options=options))
    return {mutation.operator: mutation for mutation in found}
