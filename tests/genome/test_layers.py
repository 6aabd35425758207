"""The layer graph: a DAG, its shapes, and a key that isomorphic graphs share."""

from collections.abc import Mapping
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings, strategies as st

from evonas.errors import EditError
from evonas.genome import LayerGraph, Node
from evonas.genome.shapes import OPS, output_shape

WINDOW = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1]}
CONV = {"out": 4, **WINDOW, "groups": 1, "bias": False}


def node(name: str, op: str, *inputs: str, **params: Any) -> Node:
    return Node(name, op, inputs, params)


def conv(name: str, source: str, **params: Any) -> Node:
    return node(name, "conv", source, **{**CONV, **params})


def pictures(*nodes: Node, last: str) -> LayerGraph:
    """Return a graph from an input of 4 x 8 x 8 to an output that reads `last`."""
    first = node("input", "input", shape=[4, 8, 8])
    return LayerGraph((first, *nodes, node("output", "output", last)))


RESIDUAL = pictures(
    conv("c1", "input"),
    node("a1", "act", "c1", kind="relu"),
    conv("c2", "a1"),
    node("sum", "add", "c2", "input"),
    last="sum",
)


@st.composite
def graphs(draw: st.DrawFn) -> LayerGraph:
    """Return a valid graph of sums, concatenations, convolutions and activations."""
    nodes = [node("input", "input", shape=[4, 8, 8])]
    for number in range(draw(st.integers(1, 7))):
        shapes = LayerGraph((*nodes,)).shapes
        name = f"n{number}"
        first = draw(st.sampled_from([one.id for one in nodes]))
        same = [other.id for other in nodes if shapes[other.id] == shapes[first]]
        second = draw(st.sampled_from(same))
        made = [
            conv(name, first, out=draw(st.integers(1, 4))),
            node(name, "act", first, kind=draw(st.sampled_from(["relu", "tanh"]))),
            node(name, "add", first, second),
            node(name, "concat", first, second),
        ]
        nodes.append(draw(st.sampled_from(made)))
    read = {source for one in nodes for source in one.inputs}
    ends = [conv(f"end_{one.id}", one.id, out=2) for one in nodes if one.id not in read]
    tail = ends[0].id
    if len(ends) > 1:
        ends.append(node("join", "concat", *(end.id for end in ends)))
        tail = "join"
    return LayerGraph((*nodes, *ends, node("output", "output", tail)))


def renamed(graph: LayerGraph, names: Mapping[str, str]) -> LayerGraph:
    return LayerGraph(
        tuple(
            Node(names[n.id], n.op, tuple(names[i] for i in n.inputs), n.params, n.frozen)
            for n in graph.nodes
        )
    )


def test_shapes_follow_from_the_input() -> None:
    graph = pictures(
        conv("c", "input", out=6, stride=[2, 2]),
        node("p", "maxpool", "c", kernel=[2, 2], stride=[2, 2], padding=[0, 0]),
        node("g", "gap", "p"),
        node("l", "linear", "g", out=10, bias=True),
        last="l",
    )
    assert [graph.shapes[name] for name in ("c", "p", "g", "l", "output")] == [
        (6, 4, 4),
        (6, 2, 2),
        (6,),
        (10,),
        (10,),
    ]


@pytest.mark.parametrize(
    ("op", "params", "inputs", "said"),
    [
        ("warp", {}, [(4, 8, 8)], "unknown operation 'warp'"),
        ("conv", CONV, [(10,)], "needs a picture, given shape (10,)"),
        ("linear", {"out": 2}, [(4, 8, 8)], "needs a vector, given shape (4, 8, 8)"),
        ("add", {}, [(4, 8, 8)], "cannot take 1 inputs"),
        ("act", {}, [(4,), (4,)], "cannot take 2 inputs"),
        ("lerp", {}, [(4,)], "cannot take 1 inputs"),
        ("input", {"shape": [3]}, [(4,)], "cannot take 1 inputs"),
        ("add", {}, [(4, 8, 8), (4, 8, 4)], "cannot join shapes"),
        ("concat", {}, [(4, 8, 8), (4, 4, 8)], "cannot join shapes"),
        ("conv", {**CONV, "groups": 3}, [(4, 8, 8)], "3 groups do not divide 4 into 4"),
        ("conv", {**CONV, "out": 0}, [(4, 8, 8)], "do not divide 4 into 0"),
        ("conv", {**CONV, "kernel": [9, 9], "padding": [0, 0]}, [(4, 8, 8)], "leaves nothing of"),
    ],
)
def test_a_layer_that_cannot_take_its_inputs_is_named(
    op: str, params: dict[str, Any], inputs: list[tuple[int, ...]], said: str
) -> None:
    with pytest.raises(EditError) as caught:
        output_shape("x", op, params, inputs)
    assert said in str(caught.value)
    assert "'x'" in str(caught.value)


def test_concatenation_adds_channels_and_keeps_the_map() -> None:
    assert output_shape("x", "concat", {}, [(3, 8, 8), (5, 8, 8)]) == (8, 8, 8)


def test_a_valid_graph_is_valid() -> None:
    RESIDUAL.validate()
    assert "output" in OPS


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (pictures(conv("c", "input"), conv("c", "input"), last="c"), "the same id"),
        (pictures(conv("c", "d"), conv("d", "input"), last="c"), "reads 'd', which is not before"),
        (pictures(conv("c", "input"), conv("d", "input"), last="c"), "'d' reaches no output"),
        (LayerGraph(RESIDUAL.nodes[:-1]), "ends in exactly one output"),
        (LayerGraph((*RESIDUAL.nodes, node("more", "output", "sum"))), "exactly one output"),
        (pictures(node("l", "linear", "input", out=2, bias=True), last="l"), "needs a vector"),
        (
            LayerGraph(pictures(conv("a.c", "input"), last="a.c").nodes, ("a", "b")),
            "block 'b' has no mirror image of 'a.c'",
        ),
    ],
)
def test_a_broken_graph_is_an_edit_error(graph: LayerGraph, said: str) -> None:
    with pytest.raises(EditError) as caught:
        graph.validate()
    assert said in str(caught.value)


def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(EditError, match="no layer 'nothing'"):
        _ = RESIDUAL["nothing"]
    assert "nothing" not in RESIDUAL
    assert "c1" in RESIDUAL


def test_an_edit_shares_what_it_does_not_touch_and_leaves_the_graph_as_it_was() -> None:
    before = RESIDUAL.to_json()
    edited = RESIDUAL.with_nodes([conv("c2", "a1", bias=True)])
    assert edited["c1"] is RESIDUAL["c1"]
    assert edited["c2"].params["bias"]
    assert RESIDUAL.to_json() == before


def test_an_edit_that_closes_a_cycle_or_reads_nothing_is_refused() -> None:
    with pytest.raises(EditError, match="cycle"):
        RESIDUAL.with_nodes([conv("c1", "c2")])
    with pytest.raises(EditError, match="which is not in the graph"):
        RESIDUAL.with_nodes([conv("c1", "nothing")])
    with pytest.raises(EditError, match="which is not in the graph"):
        RESIDUAL.with_nodes(removed=["c2"])


def test_new_layers_are_sorted_in_behind_what_they_read() -> None:
    edited = RESIDUAL.with_nodes(
        [node("a2", "act", "c2", kind="relu"), node("sum", "add", "a2", "input")]
    )
    edited.validate()
    assert edited.output.id == "output"


def test_consumers_and_ancestors_follow_the_edges() -> None:
    assert RESIDUAL.consumers["input"] == ("c1", "sum")
    assert RESIDUAL.ancestors("c2") == {"a1", "c1", "input"}
    assert RESIDUAL.ancestors("input") == frozenset()


def test_a_block_is_what_stands_before_the_last_dot() -> None:
    assert (node("b1.conv", "conv").block, node("b1.conv", "conv").local) == ("b1", "conv")
    assert (node("conv", "conv").block, node("conv", "conv").local) == ("", "conv")


@settings(max_examples=60, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_the_key_does_not_depend_on_names(graph: LayerGraph, random: Any) -> None:
    order = [one.id for one in graph.nodes]
    shuffled = random.sample(order, len(order))
    names = {old: f"x_{new}" for old, new in zip(order, shuffled, strict=True)}
    assert renamed(graph, names).key == graph.key


@settings(max_examples=60, deadline=None)
@given(graphs(), graphs())
def test_graphs_with_one_key_are_isomorphic_and_with_two_are_not(
    first: LayerGraph, second: LayerGraph
) -> None:
    def node_match(one: dict[str, Any], other: dict[str, Any]) -> bool:
        return one["op"] == other["op"] and one["params"] == other["params"]

    def ports(graph: LayerGraph) -> "nx.MultiDiGraph[str]":
        found = graph.to_networkx()
        for _, reader, data in found.edges(data=True):
            data["port"] = 0 if graph[reader].op == "add" else data["port"]
        return found

    def edge_match(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
        return sorted(e["port"] for e in one.values()) == sorted(e["port"] for e in other.values())

    same = nx.is_isomorphic(ports(first), ports(second), node_match, edge_match)
    assert same == (first.key == second.key)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_json_gives_the_same_graph_back(graph: LayerGraph) -> None:
    again = LayerGraph.from_json(graph.to_json())
    assert again == graph
    assert again.key == graph.key


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_random_graphs_are_valid(graph: LayerGraph) -> None:
    graph.validate()


def twice(left: Node, right: Node, *, join: str = "add") -> LayerGraph:
    return pictures(left, right, node("j", join, left.id, right.id), last="j")


def test_two_equal_branches_and_one_branch_read_twice_have_two_keys() -> None:
    two = twice(conv("l", "input"), conv("r", "input"))
    one = pictures(conv("l", "input"), node("j", "add", "l", "l"), last="j")
    assert two.key != one.key


def test_sums_do_not_know_the_order_of_their_inputs_and_concatenations_do() -> None:
    small, large = conv("l", "input", kernel=[1, 1], padding=[0, 0]), conv("r", "input")
    sums = [pictures(small, large, node("j", "add", *order), last="j") for order in ("lr", "rl")]
    rows = [pictures(small, large, node("j", "concat", *order), last="j") for order in ("lr", "rl")]
    assert sums[0].key == sums[1].key
    assert rows[0].key != rows[1].key


def test_who_shares_a_branch_is_in_the_key() -> None:
    """Both graphs have the same layers with the same ancestors; they differ in who reads whom."""
    left, right = conv("l", "input"), conv("r", "input")
    crossed = pictures(
        left,
        right,
        node("a", "add", "l", "r"),
        node("b", "add", "l", "r"),
        node("j", "concat", "a", "b"),
        last="j",
    )
    doubled = pictures(
        left,
        right,
        node("a", "add", "l", "l"),
        node("b", "add", "r", "r"),
        node("j", "concat", "a", "b"),
        last="j",
    )
    assert crossed.key != doubled.key


@pytest.mark.parametrize(
    "change",
    [{"out": 3}, {"bias": True}, {"kernel": [1, 1], "padding": [0, 0]}],
    ids=["width", "bias", "kernel"],
)
def test_every_parameter_is_in_the_key(change: dict[str, Any]) -> None:
    plain = pictures(conv("c", "input"), last="c")
    other = pictures(conv("c", "input", **change), last="c")
    assert plain.key != other.key


def test_a_frozen_layer_is_in_the_key_and_in_json() -> None:
    free = pictures(conv("c", "input"), last="c")
    frozen = pictures(Node("c", "conv", ("input",), CONV, frozen=True), last="c")
    assert free.key != frozen.key
    assert LayerGraph.from_json(frozen.to_json()) == frozen


def test_mirrors_survive_json() -> None:
    graph = LayerGraph(RESIDUAL.nodes, ("b1", "b2"))
    assert LayerGraph.from_json(graph.to_json()) == graph
