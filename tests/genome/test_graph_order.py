"""The order of a graph's layers."""

import networkx as nx
import pytest
from hypothesis import given, settings, strategies as st

from evonas.errors import EditError
from evonas.genome import LayerGraph, Node


@st.composite
def shuffled_graphs(draw: st.DrawFn) -> list[Node]:
    """Draw sums of earlier layers, and give them in any order."""
    size = draw(st.integers(1, 12))
    nodes = [Node("n0", "input", (), {"shape": [4]})]
    for number in range(1, size):
        sources = draw(st.lists(st.integers(0, number - 1), min_size=1, max_size=3))
        nodes.append(Node(f"n{number}", "add", tuple(f"n{source}" for source in sources)))
    nodes.append(Node("end", "output", (f"n{size - 1}",)))
    return draw(st.permutations(nodes))


@settings(deadline=None)
@given(shuffled_graphs())
def test_layers_stand_in_the_lexicographical_topological_order(nodes: list[Node]) -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(node.id for node in nodes)
    graph.add_edges_from((source, node.id) for node in nodes for source in node.inputs)
    place = {node.id: number for number, node in enumerate(nodes)}
    expected = [*nx.lexicographical_topological_sort(graph, key=place.__getitem__)]
    expected.remove("end")
    found = LayerGraph(()).with_nodes(nodes)
    assert [node.id for node in found.nodes] == [*expected, "end"]


def test_a_cycle_is_refused() -> None:
    with pytest.raises(EditError, match="cycle"):
        LayerGraph(()).with_nodes([Node("a", "act", ("b",)), Node("b", "act", ("a",))])


def test_a_missing_input_is_refused_by_name() -> None:
    with pytest.raises(EditError, match="'a' reads 'b'"):
        LayerGraph(()).with_nodes([Node("a", "act", ("b",))])
