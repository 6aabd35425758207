"""Mirrored blocks stay alike."""

import pytest

from evonas.errors import EditError
from evonas.genome import LayerGraph, Node


def stacked(*layers: str) -> LayerGraph:
    """Return a chain of activations with these ids, whose blocks `a` and `b` mirror each other."""
    nodes = [Node("input", "input", (), {"shape": [4]})]
    for layer in layers:
        nodes.append(Node(layer, "act", (nodes[-1].id,), {"kind": "relu"}))
    return LayerGraph((*nodes, Node("output", "output", (nodes[-1].id,))), mirrors=("a", "b"))


def test_blocks_with_the_same_layers_mirror_each_other() -> None:
    stacked("a.first", "a.last", "b.first", "b.last").validate()


@pytest.mark.parametrize("layers", [("a.first", "b.first", "b.last"), ("a.first",), ("b.first",)])
def test_a_block_that_differs_from_the_one_it_mirrors_is_refused(layers: tuple[str, ...]) -> None:
    with pytest.raises(EditError, match="mirrors 'a' but for"):
        stacked(*layers).validate()
