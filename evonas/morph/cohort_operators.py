"""The operators on cohorts, as a search uses them."""

from collections.abc import Mapping

from evonas.morph.cohort_aggregator import CohortAggregator
from evonas.morph.cohort_edges import CohortAddEdge, CohortDropEdge, CohortFlipEdge, CohortRetap
from evonas.morph.cohort_lessons import CohortJitter, CohortLoss, CohortSchedule
from evonas.morph.cohort_options import CohortOptions
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
    ]
    if len(options.losses) > 1:
        found.append(CohortLoss(options=options))
    if options.aggregators:
        found.append(CohortAggregator(options=options))
    return {mutation.operator: mutation for mutation in found}
