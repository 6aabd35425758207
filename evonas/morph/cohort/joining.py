"""A copy of a network among those of which a target is made for each."""

from dataclasses import replace

from evonas.genome.cohort import Aggregator, Cohort, split_end
from evonas.morph.cohort.options import CohortOptions


def among_equals(cohort: Cohort, copied: str, name: str, options: CohortOptions) -> Cohort:
    """Return the cohort in which a new node is read, and learns, as the one that it is a copy of.

    That is where aggregators have a target for each of their inputs, and move none of these.
    Elsewhere who is added teaches nobody.

    Args:
        cohort: With the new node.
        copied: Of which it is a copy.
        name: Of the new node.
        options: What the search allows.
    """
    equals = {
        key: one
        for key, one in cohort.aggregators.items()
        if _is_of_equals(one, options) and copied in _nodes(one)
    }
    lessons = tuple(
        replace(edge, to=_renamed(edge.to, copied, name))
        for edge in cohort.edges
        if edge.source in equals and split_end(edge.to)[0] == copied
    )
    larger = {key: _with_copy(one, copied, name) for key, one in equals.items()}
    return replace(
        cohort,
        aggregators={**cohort.aggregators, **larger},
        edges=(*cohort.edges, *lessons),
    )


def _is_of_equals(aggregator: Aggregator, options: CohortOptions) -> bool:
    kind = options.aggregators[aggregator.rule["name"]]
    return kind.has_rows and kind.detaches


def _nodes(aggregator: Aggregator) -> set[str]:
    return {split_end(end)[0] for end in aggregator.inputs}


def _with_copy(aggregator: Aggregator, copied: str, name: str) -> Aggregator:
    """Return the aggregator with the copy's ends behind all others."""
    inputs, queries = (
        (*ends, *(_renamed(end, copied, name) for end in ends if split_end(end)[0] == copied))
        for ends in (aggregator.inputs, aggregator.queries)
    )
    return replace(aggregator, inputs=inputs, queries=queries)


def _renamed(end: str, copied: str, name: str) -> str:
    node, tap = split_end(end)
    return f"{name}:{tap}" if node == copied else end
