"""Small steps of what makes one target of several: a mean comes, a rule is exchanged."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evonas.errors import EditError
from evonas.genome.cohort import CANDIDATE, Aggregator, Cohort, Edge, split_end
from evonas.genome.cohort_kinds import AggregatorKind, Ends
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.moves import one_of, shuffled
from evonas.seeds import Rng


def reassembled(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with another rule of an aggregator, or with a new one.

    Raises:
        EditError: if there is nothing to choose.
    """
    moves = list(shuffled([_exchanged, _put_between], rng))
    try:
        return moves[0](joints, rng)
    except EditError:
        return moves[1](joints, rng)


def _exchanged(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with another rule of one aggregator of two inputs or more."""
    cohort = joints.cohort
    found = [
        (name, one)
        for name, aggregator in cohort.aggregators.items()
        if len(aggregator.inputs) > 1
        for one in _others(joints, name, aggregator)
    ]
    name, chosen = one_of(found, rng)
    cohort = replace(cohort, aggregators={**cohort.aggregators, name: chosen})
    return _training(cohort, name, learns=joints.options.aggregators[chosen.rule["name"]])


def _put_between(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with one target in place of two or more that a loss has for one end."""
    cohort = joints.cohort
    groups: dict[tuple[str, str, str], list[Edge]] = defaultdict(list)
    for edge in cohort.edges:
        if split_end(edge.source)[1] and not edge.both:
            groups[edge.loss["name"], edge.to, edge.tag].append(edge)
    group = one_of((edges for edges in groups.values() if len(edges) > 1), rng)
    inputs = tuple(edge.source for edge in group)
    name = _unused(cohort)
    made = [
        one
        for rule, kind in joints.options.aggregators.items()
        if kind.inputs == joints.kind(group[0]).ends
        and (one := _ruled(joints, rule, kind, inputs, group[0].to)) is not None
    ]
    chosen = one_of(made, rng)
    edges = [edge for edge in cohort.edges if edge not in group]
    cohort = replace(
        cohort,
        aggregators={**cohort.aggregators, name: chosen},
        edges=(*edges, replace(group[0], source=name)),
    )
    return _training(cohort, name, learns=joints.options.aggregators[chosen.rule["name"]])


def _others(joints: Joints, name: str, old: Aggregator) -> Iterator[Aggregator]:
    """Yield the aggregator with each other rule whose outputs its edges can take."""
    learners = [edge.to for edge in joints.cohort.edges if edge.source == name]
    nodes = {split_end(end)[0] for end in old.inputs}
    for rule, kind in joints.options.aggregators.items():
        if rule == old.rule["name"] or kind.inputs != joints.rule(name).inputs:
            continue
        if kind.has_rows and not nodes.issuperset(split_end(end)[0] for end in learners):
            continue
        one = _ruled(joints, rule, kind, old.inputs, learners[0] if learners else CANDIDATE)
        if one is not None:
            yield one


def _ruled(
    joints: Joints, rule: str, kind: AggregatorKind, inputs: tuple[str, ...], to: str
) -> Aggregator | None:
    """Return an aggregator of a rule, or None if a query that it needs is not to be had."""
    readers: list[str] = {"none": [], "one": [to], "each": list(inputs)}[kind.queries]
    if kind.has_rows and split_end(to)[0] not in {split_end(end)[0] for end in inputs}:
        return None
    queries = [_query(joints, split_end(end)[0], kind.query_ends) for end in readers]
    if not all(queries):
        return None
    spec: dict[str, Any] = {"name": rule}
    wants = kind.has_parameters and kind.inputs == "logits" and not kind.detaches
    learns = "labels" if wants else "edges"
    if learns == "labels" and not joints.options.has_labels:
        return None
    return Aggregator(rule=spec, inputs=inputs, queries=tuple(queries), learns=learns)


def _query(joints: Joints, name: str, ends: Ends) -> str:
    """Return the last end of a node that is of this kind and not its output; empty if none is."""
    found = ""
    for tap in list(joints.taps.get(name, {}))[:-1]:
        end = f"{name}:{tap}"
        try:
            joints.shape(end, ends)
        except EditError:
            continue
        found = end
    return found


def _training(cohort: Cohort, name: str, *, learns: AggregatorKind) -> Cohort:
    """Return the cohort with the aggregator trained with the candidate, if it has parameters."""
    stages = [
        replace(stage, train=tuple(one for one in stage.train if one != name))
        for stage in cohort.stages
    ]
    if learns.has_parameters:
        stages = [
            replace(stage, train=(*stage.train, name)) if CANDIDATE in stage.train else stage
            for stage in stages
        ]
    return replace(cohort, stages=tuple(stages))


def _unused(cohort: Cohort) -> str:
    """Return a name for a new aggregator."""
    taken = cohort.nodes.keys() | cohort.aggregators.keys()
    return next(
        name for number in range(1, len(taken) + 2) if (name := f"ensemble{number}") not in taken
    )
