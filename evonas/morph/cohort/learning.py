"""Who learns from whom in a cohort: what an end is made of, what reaches a node, what is of use."""

from collections.abc import Iterable

from evonas.genome.cohort import Cohort, Edge, Stage, split_end
from evonas.genome.cohort_kinds import LOGITS

TASK = "task"
"""The loss that is the trainer's own, against the labels."""

FROZEN = frozenset({"teacher", "snapshot"})
"""Kinds of nodes whose parameters never move."""


def leaves(cohort: Cohort, end: str) -> frozenset[str]:
    """Return the ends of nodes that an end is made of: itself, or what an aggregator reads."""
    return frozenset(one for one in _below(cohort, end) if ":" in one)


def made_of(cohort: Cohort, end: str) -> frozenset[str]:
    """Return the nodes and aggregators that an end is made of.

    An aggregator is one of them only if it is made of itself.
    """
    return frozenset(split_end(one)[0] for one in _below(cohort, end))


def is_live(edge: Edge) -> bool:
    """Return whether an edge's weight is ever above 0."""
    weight = edge.weight
    return weight.end > 0 or (weight.kind != "constant" and weight.start > 0)


def is_active(edge: Edge, stage: Stage) -> bool:
    """Return whether an edge is part of the loss in a stage."""
    return not stage.tags or edge.tag in stage.tags


def is_ever_active(edge: Edge, cohort: Cohort) -> bool:
    """Return whether an edge is part of the loss in any stage."""
    return any(is_active(edge, stage) for stage in cohort.stages)


def moving(cohort: Cohort, stage: Stage) -> frozenset[str]:
    """Return the nodes and aggregators that a stage trains, views of trained nodes included."""
    views = {name for name, node in cohort.nodes.items() if node.kind == "view"}
    return frozenset(stage.train) | {name for name in views if cohort.nodes[name].of in stage.train}


def can_move(cohort: Cohort, end: str, stage: Stage) -> bool:
    """Return whether a stage trains what an end is made of, or the aggregator that it is."""
    names = made_of(cohort, end) | {split_end(end)[0]}
    return bool(names & moving(cohort, stage))


def trained(cohort: Cohort) -> frozenset[str]:
    """Return the nodes that some stage trains."""
    return frozenset().union(*(moving(cohort, one) for one in cohort.stages)) & cohort.nodes.keys()


def anchored(cohort: Cohort) -> frozenset[str]:
    """Return the nodes that labels or a teacher reach; the others pass on rumours, if anything.

    A snapshot knows what was known to the node that it is of.
    """
    found = {name for name, node in cohort.nodes.items() if node.kind == "teacher"}
    edges = [edge for edge in cohort.edges if is_live(edge) and is_ever_active(edge, cohort)]
    while True:
        reached = found | _copies(cohort, found)
        for edge in edges:
            source, to = made_of(cohort, edge.source), made_of(cohort, edge.to)
            if edge.loss["name"] == TASK or source & reached:
                reached |= to & cohort.nodes.keys()
            if edge.both and to & reached:
                reached |= source & cohort.nodes.keys()
        if reached == found:
            return frozenset(found)
        found = reached


def judged(cohort: Cohort) -> frozenset[str]:
    """Return the nodes whose logits learn from labels, or from a node that labels reach."""
    known = anchored(cohort)
    ends: set[str] = set()
    for edge in cohort.edges:
        if not is_live(edge) or not is_ever_active(edge, cohort):
            continue
        if edge.loss["name"] == TASK or made_of(cohort, edge.source) & known:
            ends |= leaves(cohort, edge.to)
        if edge.both and made_of(cohort, edge.to) & known:
            ends |= leaves(cohort, edge.source)
    return frozenset(name for name, tap in map(split_end, ends) if tap == LOGITS)


def of_use(cohort: Cohort) -> frozenset[str]:
    """Return the nodes and aggregators that are handed over, or from which those learn."""
    found = set(cohort.readout) | {stage.scorer for stage in cohort.stages if stage.scorer}
    while True:
        size = len(found)
        for edge in cohort.edges:
            source, to = _touched(cohort, edge.source), _touched(cohort, edge.to)
            if to & found:
                found |= source
            if edge.both and source & found:
                found |= to
        for name in cohort.aggregators.keys() & found:
            aggregator = cohort.aggregators[name]
            found |= _names([*aggregator.inputs, *aggregator.queries])
        found |= {cohort.nodes[name].of for name in cohort.nodes.keys() & found} - {""}
        found |= _sharing(cohort, found)
        if len(found) == size:
            return frozenset(found)


def joined(cohort: Cohort) -> frozenset[str]:
    """Return the nodes and aggregators at which an edge ends, or which an aggregator reads."""
    ends = [end for edge in cohort.edges for end in (edge.source, edge.to) if end]
    for one in cohort.aggregators.values():
        ends += [*one.inputs, *one.queries]
    return _names(ends)


def _below(cohort: Cohort, end: str) -> frozenset[str]:
    """Return the ends below an end: itself if it is a node's, else all that it is made of."""
    if end not in cohort.aggregators:
        return frozenset({end} if end else ())
    found: set[str] = set()
    pending = list(cohort.aggregators[end].inputs)
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending += cohort.aggregators[one].inputs if one in cohort.aggregators else ()
    return frozenset(found)


def _copies(cohort: Cohort, found: set[str]) -> set[str]:
    nodes = cohort.nodes.items()
    return {name for name, node in nodes if node.kind == "snapshot" and node.of in found}


def _sharing(cohort: Cohort, found: set[str]) -> set[str]:
    """Return the views that an edge trains, and whose parameters are of a node that is found."""
    ends = joined(cohort)
    nodes = cohort.nodes.items()
    return {name for name, node in nodes if node.kind == "view" and node.of in found} & ends


def _touched(cohort: Cohort, end: str) -> frozenset[str]:
    return made_of(cohort, end) | {split_end(end)[0]} if end else frozenset()


def _names(ends: Iterable[str]) -> frozenset[str]:
    return frozenset(split_end(end)[0] for end in ends)
