"""The places that the edges of a cohort may join: the taps of each of its networks."""

from collections.abc import Mapping

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph
from evonas.genome.cohort import Cohort, Node
from evonas.genome.cohort_kinds import Tap
from evonas.genome.members import NETWORK, as_genome, members
from evonas.genome.nested import nested
from evonas.morph.cohort.options import CohortOptions

PARTS = frozenset({"snapshot", "view"})
"""Kinds of nodes that are of another node."""


def node_taps(
    genome: Genome, cohort: Cohort, options: CohortOptions
) -> Mapping[str, Mapping[str, Tap]]:
    """Return the taps of every node, by node and tap.

    Raises:
        EditError: naming the node whose network is not there or has no taps.
    """
    graphs = {**members(genome), **genome.architecture}
    return {name: taps_of(name, cohort.nodes, graphs, options) for name in cohort.nodes}


def taps_of(
    name: str, nodes: Mapping[str, Node], graphs: Mapping[str, LayerGraph], options: CohortOptions
) -> Mapping[str, Tap]:
    """Return the taps of one node.

    Args:
        name: Of the node.
        nodes: Of the cohort.
        graphs: Of the members, and of the candidate as `NETWORK`.
        options: What the search allows.

    Raises:
        EditError: naming the node, if its network is not there or has no taps.
    """
    if nodes[name].kind == "teacher":
        if name not in options.teachers:
            known = ", ".join(sorted(options.teachers)) or "none"
            raise EditError(f"no teacher is called {name!r} (known: {known})")
        return options.teachers[name]
    graph = network_of(name, nodes, graphs)
    try:
        taps = options.taps(as_genome(graph))
    except EditError as error:
        raise EditError(f"the network of {name!r}: {error}") from None
    trunk = nodes[name].trunk
    if trunk and trunk not in taps:
        raise EditError(f"the view {name!r} has no tap {trunk!r} (known: {', '.join(taps)})")
    return taps


def network_of(
    name: str, nodes: Mapping[str, Node], graphs: Mapping[str, LayerGraph]
) -> LayerGraph:
    """Return the layers of a node that is trained, or a part of one that is.

    Args:
        name: Of the node; no teacher.
        nodes: Of the cohort.
        graphs: Of the members, and of the candidate as `NETWORK`.

    Raises:
        EditError: naming the node that is missing, or of which there is no such part.
    """
    node = nodes[name]
    if node.kind in PARTS:
        if node.of not in nodes or nodes[node.of].kind in PARTS | {"teacher"}:
            raise EditError(
                f"{name!r} is a {node.kind} of {node.of!r}; it needs the candidate or a member"
            )
        whole = network_of(node.of, nodes, graphs)
        return _nested(name, whole, node.depths) if node.depths else whole
    key = NETWORK if node.kind == "candidate" else name
    if key not in graphs:
        raise EditError(f"{name!r} is a {node.kind} and has no network")
    return graphs[key]


def _nested(name: str, whole: LayerGraph, depths: tuple[int, ...]) -> LayerGraph:
    try:
        return nested(whole, depths)
    except EditError as error:
        raise EditError(f"the view {name!r}: {error}") from None
