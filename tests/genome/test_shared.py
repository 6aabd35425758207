"""Equal rows of genomes are read once, and no others are taken for equal."""

from typing import Any

import pytest

from evonas.errors import StoreError
from evonas.genome import Edit
from evonas.genome.layers import LayerGraph, Node
from evonas.genome.shared import Shared

NODES = [["in", "input", [], {"shape": [2]}], ["out", "output", ["in"], {}]]


def test_equal_rows_become_one_object() -> None:
    shared = Shared()
    first, second = (LayerGraph.from_json({"nodes": NODES}, shared) for _ in range(2))
    assert [one is other for one, other in zip(first.nodes, second.nodes, strict=True)] == [
        True
    ] * 2


@pytest.mark.parametrize("forged", [True, 4.0, "4", [4]])
def test_a_value_of_another_type_is_checked_although_its_equal_was_read(forged: Any) -> None:
    shared = Shared()
    width = 1 if forged is True else 4
    _ = shared.read(Node, ["a", "linear", [], {"out": width, "bias": True}])
    with pytest.raises(StoreError, match="out is"):
        _ = shared.read(Node, ["a", "linear", [], {"out": forged, "bias": True}])


def test_the_order_of_keys_is_kept_so_that_a_row_is_written_as_it_was_read() -> None:
    shared = Shared()
    rows: list[list[Any]] = [
        ["widen", [], {"a": 1, "b": 2}, ""],
        ["widen", [], {"b": 2, "a": 1}, ""],
    ]
    assert [list(shared.read(Edit, row).to_json()[2]) for row in rows] == [["a", "b"], ["b", "a"]]


def test_a_row_that_is_too_deep_is_refused() -> None:
    row: list[Any] = []
    for _ in range(5000):
        row = [row]
    with pytest.raises(StoreError, match="too deep"):
        _ = Shared().read(Node, row)


def test_a_graph_finds_again_what_it_has_let_go_of() -> None:
    graph = LayerGraph.from_json({"nodes": NODES})
    before = graph.shapes, graph.consumers, graph.by_id, graph.num_of
    graph.forget()
    after = graph.shapes, graph.consumers, graph.by_id, graph.num_of
    assert after == before
    assert all(one is not other for one, other in zip(before, after, strict=True))
