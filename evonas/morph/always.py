"""The mutations whose edits are in every search, so that any record can be replayed.

To replay an edit takes no options, and so these are the operators with their defaults.
"""

from collections.abc import Mapping

from evonas.morph.cohort.aggregator import CohortAggregator
from evonas.morph.cohort.assistant import CohortAssistant
from evonas.morph.cohort.crossover import CohortCross
from evonas.morph.cohort.edges import CohortAddEdge, CohortDropEdge, CohortFlipEdge, CohortRetap
from evonas.morph.cohort.grow import CohortGrow
from evonas.morph.cohort.lessons import CohortJitter, CohortLoss, CohortSchedule
from evonas.morph.cohort.nodes import CohortClone, CohortDrop, CohortSnapshot
from evonas.morph.cohort.stages import CohortSampler, CohortStage
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
        CohortAssistant(),
        CohortClone(),
        CohortCross(),
        CohortDrop(),
        CohortDropEdge(),
        CohortFlipEdge(),
        CohortGrow(),
        CohortJitter(),
        CohortLoss(),
        CohortRetap(),
        CohortSampler(),
        CohortSchedule(),
        CohortSnapshot(),
        CohortStage(),
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
