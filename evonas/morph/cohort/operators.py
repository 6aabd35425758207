"""The operators on cohorts, as a search uses them."""

from collections.abc import Mapping

from evonas.morph.cohort.aggregator import CohortAggregator
from evonas.morph.cohort.assistant import CohortAssistant
from evonas.morph.cohort.edges import CohortAddEdge, CohortDropEdge, CohortFlipEdge, CohortRetap
from evonas.morph.cohort.grow import CohortGrow
from evonas.morph.cohort.lessons import CohortJitter, CohortLoss, CohortSchedule
from evonas.morph.cohort.members import DIVERGENCE
from evonas.morph.cohort.nodes import CohortClone, CohortDrop, CohortSnapshot
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.stages import CohortSampler, CohortStage
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
