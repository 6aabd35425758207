import time

import numpy as np
import pytest

from evonas.errors import EditError
from evonas.genome import LayerGraph, Node
from evonas.morph.channels import Channels
from evonas.morph.spread import Spread, changes, resized

CONV = {
    "kernel": [3, 3],
    "stride": [1, 1],
    "padding": [1, 1],
    "dilation": [1, 1],
    "groups": 1,
    "bias": False,
}
X = Node("x", "input", (), {"shape": [3, 4, 4]})


def conv(name: str, source: str, out: int, groups: int = 1, frozen: bool = False) -> Node:
    return Node(name, "conv", (source,), {**CONV, "out": out, "groups": groups}, frozen)


def ended(*nodes: Node) -> LayerGraph:
    """Return a graph of these layers with a linear head on the last one."""
    gap = Node("gap", "gap", (nodes[-1].id,))
    fc = Node("fc", "linear", ("gap",), {"out": 2, "bias": True})
    graph = LayerGraph((X, *nodes, gap, fc, Node("y", "output", ("fc",))))
    graph.validate()
    return graph


def makers(graph: LayerGraph) -> list[tuple[int, dict[str, int]]]:
    """Return the size of every resizable group, and which layers make it."""
    return [(len(group.classes), dict(group.makers)) for group in Channels.of(graph).groups]


def test_addition_ties_channel_by_channel():
    graph = ended(conv("a", "x", 4), conv("b", "a", 4), Node("sum", "add", ("a", "b")))
    assert makers(graph) == [(4, {"a": 1, "b": 1})]


def test_concatenation_ties_by_offset():
    graph = ended(
        conv("a", "x", 4),
        conv("left", "x", 1),
        conv("right", "x", 3),
        Node("both", "concat", ("left", "right")),
        Node("sum", "add", ("a", "both")),
    )
    assert makers(graph) == [(1, {"a": 1, "left": 1}), (3, {"a": 1, "right": 1})]


def test_a_class_can_hold_two_channels_of_one_layer():
    graph = ended(
        conv("a", "x", 2),
        conv("b", "x", 2),
        conv("c", "x", 4),
        Node("ab", "concat", ("a", "b")),
        Node("ba", "concat", ("b", "a")),
        Node("sum", "add", ("ab", "c", "ba")),
    )
    assert makers(graph) == [(2, {"a": 1, "b": 1, "c": 2})]


def test_inputs_and_outputs_keep_their_width():
    graph = ended(Node("act", "act", ("x",), {"kind": "relu"}))
    assert makers(graph) == []


def test_what_is_tied_to_the_input_keeps_its_width():
    graph = ended(conv("a", "x", 3), Node("sum", "add", ("x", "a")), conv("b", "sum", 2))
    assert makers(graph) == [(2, {"b": 1})]


def test_a_frozen_layer_keeps_its_width():
    graph = ended(conv("a", "x", 4, frozen=True), conv("b", "a", 2))
    assert makers(graph) == [(2, {"b": 1})]


def test_a_grouped_convolution_keeps_its_inputs_and_outputs():
    graph = ended(conv("a", "x", 4), conv("b", "a", 4, groups=2), conv("c", "b", 2))
    assert makers(graph) == [(2, {"c": 1})]


def test_a_layer_without_a_free_group_cannot_be_resized():
    graph = ended(conv("a", "x", 4, frozen=True))
    with pytest.raises(EditError, match="0 groups"):
        Channels.of(graph).part("a", 0)


def test_flattened_features_that_meet_single_ones_keep_their_width():
    nodes = (
        X,
        conv("a", "x", 2),
        Node("flat", "flatten", ("a",)),
        Node("fc", "linear", ("flat",), {"out": 32, "bias": True}),
        Node("sum", "add", ("flat", "fc")),
        Node("last", "linear", ("sum",), {"out": 2, "bias": True}),
        Node("y", "output", ("last",)),
    )
    assert makers(LayerGraph(nodes)) == []


def test_index_lists_follow_ports_nested_joins_and_flattening():
    graph = LayerGraph(
        (
            X,
            conv("a", "x", 2),
            conv("b", "x", 1),
            Node("inner", "concat", ("b", "a")),
            Node("outer", "concat", ("a", "inner", "a")),
            Node(
                "pool",
                "avgpool",
                ("outer",),
                {"kernel": [2, 4], "stride": [1, 1], "padding": [0, 0]},
            ),
            Node("flat", "flatten", ("pool",)),
            Node("fc", "linear", ("flat",), {"out": 2, "bias": True}),
            Node("y", "output", ("fc",)),
        )
    )
    channels = Channels.of(graph)
    first = int(channels.labels["a"][0])
    moved = changes(graph, resized(channels, {first: (0.75, 0.25)}))
    copied = [0, 0, 1]
    assert moved["a"].rows.index.tolist() == copied
    joined = [*copied, 2, *[k + 3 for k in copied], *[k + 5 for k in copied]]
    assert moved["outer"].rows.index.tolist() == joined
    columns = moved["fc"].columns
    assert columns.index.tolist() == [c * 3 + row for c in joined for row in range(3)]
    assert columns.share[:9].tolist() == [0.75] * 3 + [0.25] * 3 + [1.0] * 3
    assert moved["fc"].rows.is_identity


def test_dropping_the_last_channels_is_a_change():
    assert not Spread.kept(np.arange(3), 4).is_identity


@pytest.mark.parametrize(
    ("reader", "match"),
    [
        (Node("z", "add", ("a", "x")), "one side"),
        (conv("z", "a", 3, groups=3), "grouped"),
        (Node("z", "act", ("a",), {"kind": "relu"}, frozen=True), "frozen"),
    ],
)
def test_new_channels_in_front_are_refused_where_they_cannot_go(reader: Node, match: str):
    graph = ended(conv("a", "x", 3), reader)
    with pytest.raises(EditError, match=match):
        changes(graph, {}, {"a": 2})


def test_a_deep_network_is_analysed_in_milliseconds():
    nodes = [conv("c0", "x", 64)]
    for depth in range(1, 60):
        nodes += [
            conv(f"c{depth}", nodes[-1].id, 64),
            Node(f"s{depth}", "add", (f"c{depth}", nodes[-1].id)),
        ]
    graph = ended(*nodes)
    assert graph.shapes
    start = time.process_time()
    assert len(Channels.of(graph).groups) == 1
    assert time.process_time() - start < 0.1
