"""Which parts of two cohorts correspond, so that cohorts of different lineages can be crossed.

Nodes correspond by what they are to the others, and among those of one role by how alike their
networks are. Edges correspond by a semantic key: the loss, the roles of both ends, and how deep in
their networks these are. So two edges correspond whichever edits made them, unlike the genes of
NEAT (Evolving Neural Networks through Augmenting Topologies, Stanley and Miikkulainen, 2002,
https://doi.org/10.1162/106365602320169811), which do by an innovation counter.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import product

from evonas.genome import Genome, LayerGraph
from evonas.genome.cohort import Cohort, Edge, split_end
from evonas.genome.cohort_kinds import Tap
from evonas.genome.members import members
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.taps import node_taps

Key = tuple[str, str, str, str, int, int]
"""What an edge is: ends and name of its loss, roles of source and destination, their depths."""

_DEPTHS = 4
"""Ends are as deep as each other if they are in the same quarter of their networks' taps."""


def partners(first: tuple[Genome, Cohort], second: tuple[Genome, Cohort]) -> Mapping[str, str]:
    """Return nodes and aggregators of the second cohort with those of the first they are like."""
    nodes = (first[1].nodes, second[1].nodes)
    graphs = members(first[0]), members(second[0])
    found: dict[str, str] = {}

    def alike(here: str, there: str) -> float:
        mine, other = nodes[0][here], nodes[1][there]
        if (mine.kind, mine.role) != (other.kind, other.role):
            return 0.0
        match mine.kind:
            case "member":
                return similarity(graphs[0][here], graphs[1][there])
            case "teacher":
                return float(here == there)
            case _:
                parts = (mine.of, mine.depths, mine.trunk)
                whole = found.get(other.of, other.of)
                return float(parts == (whole, other.depths, other.trunk))

    for kinds in ({"candidate", "teacher", "member"}, {"snapshot", "view"}):
        chosen = [[name for name, node in some.items() if node.kind in kinds] for some in nodes]
        found |= _pairs(chosen[0], chosen[1], alike)
    return {**found, **_aggregator_partners(first[1], second[1], found)}


def similarity(one: LayerGraph, other: LayerGraph) -> float:
    """Return the share of layers that two networks have in common, from 0 to 1."""
    counts = [Counter(node.label for node in graph.nodes) for graph in (one, other)]
    return (counts[0] & counts[1]).total() / (counts[0] | counts[1]).total()


def matched(
    first: tuple[Genome, Cohort],
    second: tuple[Genome, Cohort],
    known: Mapping[str, str],
    options: CohortOptions,
) -> Mapping[str, Edge]:
    """Return edges of the second cohort by the names of those of the first they correspond to.

    Args:
        first: A genome and its cohort.
        second: The same of the other parent.
        known: The partners of the second cohort's parts.
        options: What the search allows.
    """
    rows = [_by_key(*one, options) for one in (first, second)]
    found: dict[str, Edge] = {}
    for key in rows[0].keys() & rows[1].keys():
        edges = [{edge.name: edge for edge in row[key]} for row in rows]

        def nearness(here: str, there: str, edges: list[dict[str, Edge]] = edges) -> float:
            mine, other = edges[0][here], edges[1][there]
            ends = zip((mine.to, mine.source), (other.to, other.source), strict=True)
            return 1.0 + sum(one == moved(two, known) for one, two in ends)

        pairs = _pairs(edges[0], edges[1], nearness)
        found |= {here: edges[1][there] for there, here in pairs.items()}
    return found


def moved(end: str, known: Mapping[str, str]) -> str:
    """Return an end of the second cohort as one of the first; empty if there is none."""
    name, tap = split_end(end)
    partner = known.get(name, "")
    return f"{partner}:{tap}" if partner and tap else partner


def _by_key(genome: Genome, cohort: Cohort, options: CohortOptions) -> Mapping[Key, list[Edge]]:
    taps = node_taps(genome, cohort, options)
    found: dict[Key, list[Edge]] = defaultdict(list)
    for edge in cohort.edges:
        loss = edge.loss["name"]
        ends = options.losses[loss].ends if loss in options.losses else ""
        roles = [_role(cohort, end) for end in (edge.source, edge.to)]
        depths = [_depth(taps, end) for end in (edge.source, edge.to)]
        found[ends, loss, roles[0], roles[1], depths[0], depths[1]].append(edge)
    return found


def _role(cohort: Cohort, end: str) -> str:
    name, _ = split_end(end)
    if name in cohort.aggregators:
        return f"aggregator {cohort.aggregators[name].rule['name']}"
    return cohort.nodes[name].role if name else ""


def _depth(taps: Mapping[str, Mapping[str, Tap]], end: str) -> int:
    name, tap = split_end(end)
    if not tap:
        return _DEPTHS
    names = list(taps[name])
    return round(_DEPTHS * (names.index(tap) + 1) / len(names))


def _aggregator_partners(
    first: Cohort, second: Cohort, known: Mapping[str, str]
) -> Mapping[str, str]:
    def alike(here: str, there: str) -> float:
        mine, other = first.aggregators[here], second.aggregators[there]
        if (mine.rule["name"], mine.learns) != (other.rule["name"], other.learns):
            return 0.0
        ends = set(mine.inputs), {moved(end, known) for end in other.inputs}
        return len(ends[0] & ends[1]) / len(ends[0] | ends[1])

    return _pairs(first.aggregators, second.aggregators, alike)


def _pairs(
    first: Iterable[str], second: Iterable[str], alike: Callable[[str, str], float]
) -> dict[str, str]:
    """Return names of the second by the first's, the most alike paired first, each at most once."""
    ranked = sorted((-alike(here, there), here, there) for here, there in product(first, second))
    found: dict[str, str] = {}
    for distance, here, there in ranked:
        if distance < 0 and there not in found and here not in found.values():
            found[there] = here
    return found
