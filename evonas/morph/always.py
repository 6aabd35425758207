"""The mutations whose edits are in every search, so that any record can be replayed.

To replay an edit takes no options, and so these are the operators with their defaults.
"""

from collections.abc import Mapping

from evonas.morph.cohort_aggregator import CohortAggregator
from evonas.morph.cohort_edges import CohortAddEdge, CohortDropEdge, CohortFlipEdge, CohortRetap
from evonas.morph.cohort_lessons import CohortJitter, CohortLoss, CohortSchedule
from evonas.morph.compact import Compact
from evonas.morph.mutation import Mutation
from evonas.morph.prune_affine import PruneAffine
from evonas.morph.prune_counts import PruneJitter, PruneScale, PruneTransfer
from evonas.morph.prune_genes import Prune
from evonas.morph.prune_schedule import PruneCurves, PrunePreset
from evonas.morph.settings import Settings

ALWAYS: Mapping[str, Mutation] = {
    mutation.operator: mutation
    for mutation in (
        CohortAddEdge(),
        CohortAggregator(),
        CohortDropEdge(),
        CohortFlipEdge(),
        CohortJitter(),
        CohortLoss(),
        CohortRetap(),
        CohortSchedule(),
        Compact(),
        Settings(),
        Prune(),
        PruneAffine(),
        PruneCurves(),
        PruneJitter(),
        PrunePreset(),
        PruneScale(),
        PruneTransfer(),
    )
}
