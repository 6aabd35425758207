"""Small steps through the cohorts: an edge comes, goes, turns round, or moves to the next tap."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from evonas.errors import EditError
from evonas.genome.cohort import Cohort, Edge, Node, split_end
from evonas.genome.cohort_kinds import LOGITS, LossKind
from evonas.genome.schedule import Curve
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.learning import FROZEN, TASK, anchored, judged, moving, trained
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.programme import check_batch
from evonas.seeds import Rng

T = TypeVar("T")

_BOTH = 0.5
"""How often a new edge between two that learn moves both."""


def one_of(choices: Iterable[T], rng: Rng) -> T:
    """Draw one of several.

    Raises:
        EditError: if there are none.
    """
    known = list(choices)
    if not known:
        raise EditError("there is nothing to choose from")
    return known[int(rng.integers(len(known)))]


def shuffled(choices: Sequence[T], rng: Rng) -> Iterator[T]:
    """Yield all in a drawn order."""
    for number in rng.permutation(len(choices)):
        yield choices[number]


def with_teachers(cohort: Cohort, options: CohortOptions) -> Cohort:
    """Return the cohort with all teachers of the run; repair drops those that do not teach."""
    teachers = {name: Node(kind="teacher", role="teacher") for name in sorted(options.teachers)}
    return replace(cohort, nodes={**teachers, **cohort.nodes})


def fresh(edge: Edge, kind: LossKind) -> Edge:
    """Return an edge with the weight and the temperature with which one of this kind starts."""
    spec: dict[str, Any] = {"name": edge.loss["name"]}
    if kind.temperature:
        spec["temperature"] = kind.temperature
    unit = "loss" if edge.loss["name"] == TASK else "gradient"
    return replace(edge, loss=spec, weight=Curve(end=kind.weight), unit=unit)


def fits(joints: Joints, edge: Edge) -> bool:
    """Return whether an edge could be added."""
    try:
        joints.check_edge(edge)
        check_batch(joints, edge)
    except EditError:
        return False
    return edge.name not in {one.name for one in joints.cohort.edges}


def exchanged(cohort: Cohort, old: Edge, new: Edge) -> Cohort:
    """Return the cohort with one edge in place of another."""
    return replace(cohort, edges=tuple(new if one is old else one for one in cohort.edges))


def added(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with another edge, of a drawn loss between drawn ends that fit.

    Raises:
        EditError: if there is no room for one, or nothing left to join.
    """
    cohort = joints.cohort
    if len(cohort.edges) >= joints.options.max_edges:
        raise EditError(f"there are {len(cohort.edges)} edges already")
    for loss in shuffled([TASK, *joints.options.losses], rng):
        found = list(_joinable(joints, loss))
        if found:
            edge = one_of(found, rng)
            edge = replace(fresh(edge, joints.kind(edge)), tag=_drawn_tag(cohort, edge, rng))
            if edge.source and _learns(cohort, edge.source) and rng.random() < _BOTH:
                edge = replace(edge, both=True)
            return replace(cohort, edges=(*cohort.edges, edge))
    raise EditError("all that can be joined is joined")


def dropped(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort without one edge, after which everybody can still know the labels.

    Raises:
        EditError: if there is none.
    """
    cohort = joints.cohort
    for edge in shuffled(cohort.edges, rng):
        left = replace(cohort, edges=tuple(one for one in cohort.edges if one is not edge))
        if trained(left) <= anchored(left) and judged(left).issuperset(left.readout):
            return left
    raise EditError("every edge is needed")


def turned(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with an edge the other way round, or both ways, or no more so.

    Raises:
        EditError: if all edges start where nobody learns.
    """
    cohort = joints.cohort
    for edge in shuffled(cohort.edges, rng):
        found = [one for one in _turns(cohort, edge) if _holds(joints, one)]
        swapped = [one for one in found if one.name == edge.name or fits(joints, one)]
        if swapped:
            return exchanged(cohort, edge, one_of(swapped, rng))
    raise EditError("no edge can be turned")


def retapped(joints: Joints, rng: Rng) -> Cohort:
    """Return the cohort with one end of an edge at the tap before or after.

    Raises:
        EditError: if no other tap fits.
    """
    cohort = joints.cohort
    for edge in shuffled(cohort.edges, rng):
        found = [
            *(replace(edge, to=end) for end in _near(joints, edge, edge.to)),
            *(replace(edge, source=end) for end in _near(joints, edge, edge.source)),
        ]
        found = [one for one in found if fits(joints, one)]
        if found:
            return exchanged(cohort, edge, one_of(found, rng))
    raise EditError("no edge has another tap to go to")


def _joinable(joints: Joints, loss: str) -> Iterator[Edge]:
    """Yield the edges of a loss that there could be, between different nodes."""
    cohort = joints.cohort
    learners = [f"{name}:{tap}" for name in sorted(trained(cohort)) for tap in joints.taps[name]]
    if loss == TASK:
        sources = [""]
        learners = [end for end in learners if split_end(end)[1] == LOGITS]
    elif joints.options.losses[loss].has_source:
        nodes = sorted(cohort.nodes)
        sources = [f"{name}:{tap}" for name in nodes for tap in joints.taps[name]]
        sources += sorted(cohort.aggregators)
    else:
        sources = [""]
    for to in learners:
        for source in sources:
            edge = Edge(loss={"name": loss}, to=to, source=source)
            if split_end(source)[0] != split_end(to)[0] and fits(joints, edge):
                yield edge


def _drawn_tag(cohort: Cohort, edge: Edge, rng: Rng) -> str:
    """Return a tag by which a stage that trains the edge's end has the edge."""
    name, _ = split_end(edge.to)
    stages = [stage for stage in cohort.stages if name in moving(cohort, stage)]
    return one_of(one_of(stages, rng).tags or ("",), rng)


def _turns(cohort: Cohort, edge: Edge) -> Iterator[Edge]:
    if edge.source and _learns(cohort, edge.source):
        yield replace(edge, to=edge.source, source=edge.to)
        yield replace(edge, both=not edge.both)


def _learns(cohort: Cohort, end: str) -> bool:
    """Return whether an end is a node's that is not frozen."""
    name, _ = split_end(end)
    return name in cohort.nodes and cohort.nodes[name].kind not in FROZEN


def _holds(joints: Joints, edge: Edge) -> bool:
    try:
        joints.check_edge(edge)
    except EditError:
        return False
    return True


def _near(joints: Joints, edge: Edge, end: str) -> Iterator[str]:
    """Yield the ends of the same node that are next to this one among those that fit."""
    name, tap = split_end(end)
    if not tap:
        return
    taps = joints.taps[name]
    kind = joints.kind(edge)
    ladder = [one for one in taps if _fits(joints, f"{name}:{one}", kind)]
    layers = list(dict.fromkeys(taps[one].layer for one in ladder))
    place = layers.index(taps[tap].layer)
    for one in ladder:
        if abs(layers.index(taps[one].layer) - place) == 1:
            yield f"{name}:{one}"


def _fits(joints: Joints, end: str, kind: LossKind) -> bool:
    try:
        joints.shape(end, kind.ends)
    except EditError:
        return False
    return True
