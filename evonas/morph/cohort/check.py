"""Refuse a cohort that cannot be trained, or that would learn nothing; names what is wrong.

The rules are those of mutual distillation in general: what is transferred fits both ends, somebody
in every chain of teachers knows something, what is to learn is not frozen, and a batch holds what a
loss looks for. `evonas.morph.cohort.repair` makes a cohort that keeps them.
"""

from collections import Counter

from evonas.cohort_plan import PARTS_OF_NO_NODE
from evonas.errors import EditError
from evonas.genome import Genome
from evonas.genome.cohort import CANDIDATE, Cohort, Node
from evonas.genome.members import NETWORK, members
from evonas.morph.cohort.joints import Joints
from evonas.morph.cohort.learning import anchored, judged, trained
from evonas.morph.cohort.matching import check_matching
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.programme import check_programme

NUMBERED = frozenset({"member", "snapshot"})
"""Kinds of nodes of which there are at most `max_nodes`."""


def check(genome: Genome, options: CohortOptions) -> None:
    """Check the cohort of a genome; one that has none passes.

    Raises:
        EditError: naming the node, edge, aggregator or stage that breaks a rule.
    """
    cohort = Cohort.of(genome)
    if cohort is None:
        return
    check_networks(genome)
    _check_nodes(genome, cohort)
    joints = Joints.of(genome, cohort, options)
    for name in cohort.aggregators:
        joints.check_aggregator(name)
    _check_edges(joints)
    _check_readout(cohort)
    check_programme(joints)
    check_matching(cohort)
    _check_learning(cohort)
    _check_limits(cohort, options)


def check_networks(genome: Genome) -> None:
    """Check that a genome may have a cohort.

    Raises:
        EditError: if its candidate is not one network.
    """
    if set(genome.architecture) != {NETWORK}:
        given = ", ".join(sorted(genome.architecture)) or "none"
        raise EditError(f"a cohort is for one network called {NETWORK!r}, given {given}")


def is_name(name: str) -> bool:
    """Return whether a node or an aggregator may be called so."""
    return name.isidentifier() and name not in PARTS_OF_NO_NODE


def check_node(name: str, node: Node) -> None:
    """Check what can be said of a node by itself.

    Raises:
        EditError: naming the node.
    """
    if not is_name(name):
        raise EditError(
            f"a node's name is an identifier other than {', '.join(sorted(PARTS_OF_NO_NODE))},"
            f" given {name!r}"
        )
    if (name == CANDIDATE) != (node.kind == "candidate"):
        raise EditError(f"the candidate, and it alone, is called {CANDIDATE!r}, given {name!r}")
    if node.kind == "view" and bool(node.depths) == bool(node.trunk):
        raise EditError(f"the view {name!r} needs either depths or a trunk")
    if not node.width > 0:
        raise EditError(f"{name!r} has a width above 0, given {node.width!r}")


def _check_nodes(genome: Genome, cohort: Cohort) -> None:
    if CANDIDATE not in cohort.nodes:
        raise EditError(f"a cohort has a node {CANDIDATE!r}")
    for name, node in cohort.nodes.items():
        check_node(name, node)
    for name in cohort.aggregators:
        if not is_name(name) or name in cohort.nodes:
            raise EditError(f"an aggregator's name is an identifier of no node, given {name!r}")
    wanted = {name for name, node in cohort.nodes.items() if node.kind == "member"}
    for name in sorted(members(genome).keys() ^ wanted):
        missing = "has no network" if name in wanted else "has a network and is no member"
        raise EditError(f"{name!r} {missing}")


def _check_edges(joints: Joints) -> None:
    for edge in joints.cohort.edges:
        joints.check_edge(edge)
    counts = Counter(edge.name for edge in joints.cohort.edges)
    for name, count in counts.items():
        if count > 1:
            raise EditError(f"there are {count} edges {name!r}; make one of them")


def _check_readout(cohort: Cohort) -> None:
    if cohort.readout[:1] != (CANDIDATE,):
        raise EditError(f"the readout begins with {CANDIDATE!r}, given {cohort.readout!r}")
    for name in cohort.readout[1:]:
        node = cohort.nodes.get(name)
        if node is None or node.kind != "view" or node.of != CANDIDATE:
            raise EditError(f"{name!r} is read out, and is no view of {CANDIDATE!r}")


def _check_learning(cohort: Cohort) -> None:
    known = anchored(cohort)
    for name in sorted(trained(cohort) - known):
        raise EditError(
            f"{name!r} learns from nobody who knows the labels; give it an edge 'task', or one from"
            " a node that has"
        )
    for name in cohort.readout:
        if name not in judged(cohort):
            raise EditError(f"the logits of {name!r} are read out and no edge ends at them")


def _check_limits(cohort: Cohort, options: CohortOptions) -> None:
    count = sum(node.kind in NUMBERED for node in cohort.nodes.values())
    if count > options.max_nodes:
        raise EditError(
            f"there are {count} members and snapshots; raise max_nodes = {options.max_nodes}"
        )
    if len(cohort.edges) > options.max_edges:
        raise EditError(
            f"there are {len(cohort.edges)} edges; raise max_edges = {options.max_edges}"
        )
