"""Crossover of cohorts: the fitter parent's, with numbers and parts of the other's.

Edges that correspond (see `evonas.morph.cohort.align`) take their numbers from either parent, or
the mean of both on a logarithmic scale; stages come from one parent as a unit. What only the other
parent has comes over with a small probability, members with their networks and trained weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, ClassVar, final

from evonas.genome import Edit, Genome, LayerGraph
from evonas.genome.cohort import (
    CANDIDATE,
    COHORT_CROSS,
    Aggregator,
    Cohort,
    Edge,
    Node,
    Stage,
    split_end,
)
from evonas.genome.members import members, with_members
from evonas.genome.schedule import Curve
from evonas.morph.cohort.align import matched, moved, partners
from evonas.morph.cohort.edit import remaining, with_cohort
from evonas.morph.cohort.members import (
    free_name,
    has_room,
    member_edit,
    present,
    tag_of,
    trained_where_taught,
)
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import State

FOREIGN_RATIO = 0.25
"""Of the parts that only the other parent has, those that come over."""

_TEMPERATURE = "temperature"


@final
@dataclass(frozen=True, kw_only=True)
class CohortCross(Mutation):
    """Put in a cohort that was crossed, with the networks of members that came over.

    It takes two parents to propose one: see `crossed_cohorts`.
    """

    operator: ClassVar[str] = COHORT_CROSS
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "this project"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Return None: one genome is not enough."""
        del genome, rng
        return None

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Put the genes and the networks in."""
        rows: Mapping[str, Any] = edit.args["graphs"]
        graphs = {name: LayerGraph.from_json(row) for name, row in rows.items()}
        return with_cohort(genome, edit, graphs)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Keep what stays; members that came over get theirs from the parent they are of."""
        del before, edit, rng
        return remaining(after, state)


def crossed_cohorts(first: Genome, second: Genome, options: CohortOptions, rng: Rng) -> Edit | None:
    """Return the edit that gives `first` a cohort of both parents, or None if it is its own.

    Args:
        first: Whose architecture the child keeps.
        second: The other parent.
        options: What the search allows.
        rng: Draws what comes from whom.
    """
    own, other = present(first, options), present(second, options)
    if own is None or other is None:
        return None
    known = partners((first, own), (second, other))
    twins = matched((first, own), (second, other), known, options)
    grown = _with_foreign(own, other, known, options, rng)
    edges = [_mixed(edge, twins.get(edge.name), rng) for edge in own.edges]
    edges += _foreign(own, other, {edge.name for edge in twins.values()}, grown, rng)
    child = replace(grown.cohort, edges=tuple({edge.name: edge for edge in edges}.values()))
    if rng.random() < 0.5:
        child = _with_programme(child, own, other, twins, grown.known)
    for name in grown.new:
        if name in child.nodes and child.nodes[name].kind == "member":
            child = trained_where_taught(child, name)
    graphs = _carried(second, grown)
    changed = child.put_into(with_members(first, {**members(first), **graphs}))
    rows = {name: graph.to_json() for name, graph in graphs.items()}
    edit = member_edit(first, COHORT_CROSS, changed, options, graphs=rows)
    return edit and _without_spare_graphs(first, edit)


def with_crossed_cohort(
    first: Genome, second: Genome, options: CohortOptions | None, rng: Rng
) -> Genome:
    """Return `first` with a cohort of both parents; as it is where there are no cohorts."""
    edit = None if options is None else crossed_cohorts(first, second, options, rng)
    return first if edit is None else CohortCross().apply(first, edit)


@final
@dataclass(frozen=True)
class _Grown:
    """The first cohort with nodes and aggregators of the second.

    Attributes:
        cohort: It.
        known: For every part of the second that it has, or has the like of, the name there.
        new: The names of those that came over.
    """

    cohort: Cohort
    known: Mapping[str, str]
    new: frozenset[str] = frozenset()

    def plus(self, there: str, name: str, part: Node | Aggregator) -> "_Grown":
        """Return it with one part of the second more."""
        parts = {name: part}
        if isinstance(part, Node):
            cohort = replace(self.cohort, nodes={**self.cohort.nodes, **parts})
        else:
            cohort = replace(self.cohort, aggregators={**self.cohort.aggregators, **parts})
        return _Grown(cohort, {**self.known, there: name}, self.new | {name})


def _with_foreign(
    own: Cohort, other: Cohort, known: Mapping[str, str], options: CohortOptions, rng: Rng
) -> _Grown:
    """Return the first cohort with some of what only the second has, views left out.

    A teacher has one name in all cohorts of a search.
    """
    grown = _Grown(own, known)
    for there, node in sorted(other.nodes.items(), key=lambda row: (row[1].kind, row[0])):
        if there in known or rng.random() >= FOREIGN_RATIO:
            continue
        cohort = grown.cohort
        if node.kind == "teacher" and there not in {*cohort.nodes, *cohort.aggregators}:
            grown = grown.plus(there, there, node)
        elif node.kind == "member" and has_room(cohort, options):
            grown = grown.plus(there, free_name(cohort, _stem(there)), node)
        elif node.kind == "snapshot" and has_room(cohort, options) and node.of in grown.known:
            copy = replace(node, of=grown.known[node.of])
            grown = grown.plus(there, free_name(cohort, _stem(there)), copy)
    for there, one in sorted(other.aggregators.items()):
        ends = [[moved(end, grown.known) for end in some] for some in (one.inputs, one.queries)]
        if there in known or rng.random() >= FOREIGN_RATIO or not all(map(all, ends)):
            continue
        same = replace(one, inputs=tuple(ends[0]), queries=tuple(ends[1]))
        grown = grown.plus(there, free_name(grown.cohort, _stem(there)), same)
    return grown


def _foreign(
    own: Cohort, other: Cohort, matched_names: set[str], grown: _Grown, rng: Rng
) -> list[Edge]:
    """Return edges of the second whose ends the first has: all of new parts, some of the others."""
    found: list[Edge] = []
    for edge in other.edges:
        to, source = moved(edge.to, grown.known), moved(edge.source, grown.known)
        if edge.name in matched_names or not to or bool(source) != bool(edge.source):
            continue
        is_new = bool({split_end(to)[0], split_end(source)[0]} & grown.new)
        if is_new or rng.random() < FOREIGN_RATIO:
            known = tag_of(own, split_end(to)[0]) or tag_of(own, CANDIDATE)
            if edge.matched and own.bilevel is not None:
                known = own.bilevel.inner
            found.append(replace(edge, to=to, source=source, tag=known))
    names = {edge.name for edge in own.edges}
    return [edge for edge in found if edge.name not in names]


def _mixed(edge: Edge, twin: Edge | None, rng: Rng) -> Edge:
    """Return an edge with weight and temperature of either parent or between, and a schedule."""
    if twin is None:
        return edge
    way = ("own", "other", "between")[int(rng.integers(3))]
    shape = (edge, twin)[int(rng.integers(2))].weight
    if edge.unit != twin.unit:
        return edge if way == "own" else replace(edge, weight=twin.weight, unit=twin.unit)
    end = _between(edge.weight.end, twin.weight.end, way)
    loss = dict(edge.loss)
    if _TEMPERATURE in edge.loss and _TEMPERATURE in twin.loss:
        loss[_TEMPERATURE] = _between(edge.loss[_TEMPERATURE], twin.loss[_TEMPERATURE], way)
    return replace(edge, loss=loss, weight=_ending(shape, end))


def _between(own: float, other: float, way: str) -> float:
    if way == "between" and own > 0 and other > 0:
        return sqrt(own * other)
    return other if way == "other" else own


def _ending(curve: Curve, end: float) -> Curve:
    """Return a curve of the same course to another number."""
    factor = end / curve.end if curve.end else 1.0
    return replace(curve, start=curve.start * factor, end=end)


def _with_programme(
    child: Cohort,
    own: Cohort,
    other: Cohort,
    twins: Mapping[str, Edge],
    known: Mapping[str, str],
) -> Cohort:
    """Return the child with the second parent's stages, and tags by which these choose edges."""
    back = {here: there for there, here in known.items()}
    by_new_name = {
        replace(edge, to=moved(edge.to, known), source=moved(edge.source, known)).name: edge
        for edge in other.edges
    }

    def tag(edge: Edge) -> str:
        theirs = twins.get(edge.name) or by_new_name.get(edge.name)
        return theirs.tag if theirs else tag_of(other, back.get(split_end(edge.to)[0], CANDIDATE))

    stages = tuple(_translated(stage, known) for stage in other.stages)
    child = replace(
        child, edges=tuple(replace(edge, tag=tag(edge)) for edge in child.edges), stages=stages
    )
    for name in sorted((own.nodes.keys() | own.aggregators.keys()) - set(known.values())):
        if any(name in stage.train for stage in own.stages):
            child = trained_where_taught(child, name)
    return child


def _translated(stage: Stage, known: Mapping[str, str]) -> Stage:
    """Return a stage of the second cohort in the first one's names."""
    return replace(
        stage,
        train=tuple(known[name] for name in stage.train if name in known),
        snapshots=tuple(known[name] for name in stage.snapshots if name in known),
        scorer=known.get(stage.scorer, CANDIDATE) if stage.scorer else "",
    )


def _carried(second: Genome, grown: _Grown) -> Mapping[str, LayerGraph]:
    """Return the networks of members that come over, by their new names."""
    graphs = members(second)
    return {
        here: graphs[there]
        for there, here in grown.known.items()
        if here in grown.new and there in graphs
    }


def _without_spare_graphs(first: Genome, edit: Edit) -> Edit:
    """Return the edit without networks of members that its repair has dropped."""
    rows, nodes = edit.args["graphs"], edit.args["genes"]["nodes"]
    left = {name: row for name, row in rows.items() if name in nodes}
    return first.edit(COHORT_CROSS, *edit.targets, **{**edit.args, "graphs": left})


def _stem(name: str) -> str:
    """Return a node's name without the number at its end."""
    return name.rstrip("0123456789")
