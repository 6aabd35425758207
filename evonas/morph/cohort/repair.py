"""Make a cohort of what is left of one: the rules of `evonas.morph.cohort.check`, kept.

After an edit of the genes or of the architecture some ends may be gone, some networks unreachable,
some stages empty. What does not fit any more is dropped, who learns from nobody gets the labels,
and nothing is renamed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from evonas.errors import EditError
from evonas.genome import Genome
from evonas.genome.cohort import CANDIDATE, Aggregator, Cohort, Edge, Node
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas.genome.members import members, with_members
from evonas.morph.cohort.check import NUMBERED, check, check_networks, check_node, is_name
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.learning import TASK, anchored, joined, judged, moving, of_use, trained
from evonas.morph.cohort.matching import with_matching
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.programme import PER_CLASS, check_batch
from evonas.morph.cohort.refit import refitted
from evonas.morph.cohort.taps import taps_of

T = TypeVar("T")

Taps = Mapping[str, Tap]

_CANDIDATE = Node(kind="candidate", role="student")

_ROUNDS = 32


def repaired(genome: Genome, options: CohortOptions) -> Genome:
    """Return the genome with a cohort that passes the checks; without one it learns by itself.

    Repairing again changes nothing.

    Raises:
        EditError: if no cohort can be made of it.
    """
    check_networks(genome)
    cohort = canonical(Cohort.of(genome) or Cohort())
    taps = _taps(genome, cohort, options)
    for _ in range(_ROUNDS):
        before, cohort = cohort, canonical(_round(Joints(cohort, options, taps)))
        if cohort == before:
            break
    whole = with_cohort_of(genome, cohort)
    check(whole, options)
    return whole


def canonical(cohort: Cohort) -> Cohort:
    """Return the cohort as its canonical form says it: edges sorted, numbers rounded."""
    return Cohort.from_json(cohort.to_json())


def with_cohort_of(genome: Genome, cohort: Cohort) -> Genome:
    """Return the genome with these genes, and of its members those that they name."""
    graphs = {
        name: graph
        for name, graph in members(genome).items()
        if name in cohort.nodes and cohort.nodes[name].kind == "member"
    }
    return with_members(cohort.put_into(genome), graphs)


def _taps(genome: Genome, cohort: Cohort, options: CohortOptions) -> Mapping[str, Taps]:
    """Return the taps of the nodes that have a network, the candidate among them."""
    graphs = {**members(genome), **genome.architecture}
    nodes = {CANDIDATE: _CANDIDATE, **cohort.nodes}
    found: dict[str, Taps] = {}
    for name, node in nodes.items():
        try:
            check_node(name, node)
            found[name] = taps_of(name, nodes, graphs, options)
        except EditError:
            continue
    return found


def _round(joints: Joints) -> Cohort:
    """Return the cohort after every rule has been applied once."""
    for rule in (_with_nodes, _with_aggregators, _with_edges, refitted):
        joints = replace(joints, cohort=rule(joints))
    return with_matching(_limited(_of_use(_anchored(joints.cohort)), joints.options))


def _with_nodes(joints: Joints) -> Cohort:
    """Return the cohort with those nodes that have a network."""
    cohort, options = joints.cohort, joints.options
    known = {CANDIDATE: _CANDIDATE, **cohort.nodes}
    nodes = {name: node for name, node in known.items() if name in joints.taps}
    numbered = sorted(name for name, node in nodes.items() if node.kind in NUMBERED)
    surplus = numbered[options.max_nodes :]
    nodes = {name: node for name, node in nodes.items() if name not in surplus}
    nodes = {name: node for name, node in nodes.items() if not node.of or node.of in nodes}
    views = [name for name in cohort.readout if name in nodes and nodes[name].kind == "view"]
    read = [name for name in views if nodes[name].of == CANDIDATE]
    return replace(cohort, nodes=nodes, readout=(CANDIDATE, *dict.fromkeys(read)))


def _with_aggregators(joints: Joints) -> Cohort:
    """Return the cohort with those aggregators that have something to join.

    Inputs that are gone are left out; one input is a target itself, and needs no aggregator.
    """
    while True:
        cohort = joints.cohort
        kept: dict[str, Aggregator] = {}
        alone: dict[str, str] = {}
        for name in cohort.aggregators:
            if not is_name(name) or name in cohort.nodes or not _holds(joints.rule, name):
                continue
            one = _with_inputs(joints, name)
            if len(one.inputs) == 1:
                alone[name] = one.inputs[0]
            elif _holds(_changed(joints, name, one).check_aggregator, name):
                kept[name] = one
        found = replace(cohort, aggregators=kept, edges=_redirected(cohort.edges, alone))
        if found == cohort:
            return cohort
        joints = replace(joints, cohort=found)


def _with_inputs(joints: Joints, name: str) -> Aggregator:
    """Return the aggregator without the inputs that are gone, and the queries of those."""
    one, kind = joints.cohort.aggregators[name], joints.rule(name)
    kept = [
        number
        for number, end in enumerate(one.inputs)
        if _holds(lambda end: joints.shape(end, kind.inputs), end)
    ]
    queries = one.queries
    if kind.queries == "each" and len(queries) == len(one.inputs):
        queries = tuple(queries[number] for number in kept)
    return replace(one, inputs=tuple(one.inputs[number] for number in kept), queries=queries)


def _changed(joints: Joints, name: str, one: Aggregator) -> Joints:
    cohort = joints.cohort
    aggregators = {**cohort.aggregators, name: one}
    return replace(joints, cohort=replace(cohort, aggregators=aggregators))


def _redirected(edges: Iterable[Edge], alone: dict[str, str]) -> tuple[Edge, ...]:
    return tuple(replace(edge, source=alone.get(edge.source, edge.source)) for edge in edges)


def _with_edges(joints: Joints) -> Cohort:
    """Return the cohort with one of each edge that can be, and can be trained by the batches."""
    samplers = {sampler["name"] for sampler in joints.options.samplers}

    def fits(edge: Edge) -> None:
        joints.check_edge(edge)
        check_batch(joints, edge)
        if joints.kind(edge).per_class > 1 and PER_CLASS not in samplers:
            raise EditError(f"the edge {edge.name!r} needs the sampler {PER_CLASS!r}")

    named: dict[str, Edge] = {}
    for edge in joints.cohort.edges:
        if _holds(fits, edge):
            named.setdefault(edge.name, edge)
    return replace(joints.cohort, edges=tuple(named.values()))


def _anchored(cohort: Cohort) -> Cohort:
    """Return the cohort with the labels for everybody who is out of their reach."""
    unread = frozenset(cohort.readout) - judged(cohort)
    for name in sorted((trained(cohort) - anchored(cohort)) | unread):
        edge = Edge(loss={"name": TASK}, to=f"{name}:{LOGITS}", tag=_tag(cohort, name))
        others = [one for one in cohort.edges if one.name != edge.name]
        cohort = replace(cohort, edges=(*others, edge))
    return cohort


def _tag(cohort: Cohort, name: str) -> str:
    """Return the tag with which an edge to a node is active where the node is trained."""
    stages = [stage for stage in cohort.stages if name in moving(cohort, stage)]
    if not stages or any(not stage.tags for stage in stages):
        return ""
    return stages[0].tags[0]


def _of_use(cohort: Cohort) -> Cohort:
    """Return the cohort without those from whom nobody that is handed over learns."""
    used, ends = of_use(cohort), joined(cohort)
    return replace(
        cohort,
        nodes={
            name: node
            for name, node in cohort.nodes.items()
            if name in used and (node.kind != "view" or name in ends | set(cohort.readout))
        },
        aggregators={name: one for name, one in cohort.aggregators.items() if name in used},
    )


def _limited(cohort: Cohort, options: CohortOptions) -> Cohort:
    """Return the cohort with at most so many edges; those from the labels stay."""
    ordered = sorted(cohort.edges, key=lambda edge: edge.loss["name"] != TASK)
    return replace(cohort, edges=tuple(ordered[: options.max_edges]))


def _holds(verify: Callable[[T], object], part: T) -> bool:
    """Return whether a check passes."""
    try:
        verify(part)
    except EditError:
        return False
    return True
