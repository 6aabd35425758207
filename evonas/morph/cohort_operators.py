"""The operators on cohorts, as a search uses them."""

from collections.abc import Mapping

from evonas.morph.cohort_aggregator import CohortAggregator
from evonas.morph.cohort_assistant import CohortAssistant
from evonas.morph.cohort_edges import CohortAddEdge, CohortDropEdge, CohortFlipEdge, CohortRetap
from evonas.morph.cohort_grow import CohortGrow
from evonas.morph.cohort_lessons import CohortJitter, CohortLoss, CohortSchedule
from evonas.morph.cohort_members import DIVERGENCE
from evonas.morph.cohort_nodes import CohortClone, CohortDrop, CohortSnapshot
from evonas.morph.cohort_options import CohortOptions
from evonas.morph.cohort_stages import CohortSampler, CohortStage
from evonas.morph.mutation import Mutation


def mutations_for(options: CohortOptions) -> Mapping[str, Mutation]:
    """Return the mutations that have edits for these options, by operator."""
    found: list[Mutation] = [
        CohortAddEdge(options=options),
        CohortDropEdge(options=options),
        CohortFlipEdge(options=options),
        CohortJitter(options=options),
        CohortRetap(options=options),
        CohortSchedule(options=options),
        CohortStage(options=options),
    ]
    if options.max_nodes:
        found += [CohortDrop(options=options), CohortGrow(options=options)]
        if DIVERGENCE in options.losses:
            found += [CohortClone(options=options), CohortSnapshot(options=options)]
        found.append(CohortAssistant(options=options))
    if len(options.samplers) > 1 or options.scorers:
        found.append(CohortSampler(options=options))
    if len(options.losses) > 1:
        found.append(CohortLoss(options=options))
    if options.aggregators:
        found.append(CohortAggregator(options=options))
    return {mutation.operator: mutation for mutation in found}
