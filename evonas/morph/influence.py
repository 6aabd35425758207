"""Which channels the outputs depend on: a backward sweep that stops at closed gates.

A new part of a network stands behind a gate of zeros or in front of columns of zeros. Until these
have moved, the weights in it may be anything, and so may be taken from another network.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from evonas.genome import LayerGraph, Node

Flags = NDArray[np.bool_]


def influential(
    graph: LayerGraph, prefix: str, tensors: Mapping[str, Tensor]
) -> Mapping[str, Flags]:
    """Return for every layer which of the channels it puts out can change the network's output.

    Args:
        graph: The network's graph.
        prefix: What stands before the names of its tensors.
        tensors: Its parameters by name.
    """
    found = {node.id: np.zeros(graph.shapes[node.id][0], dtype=np.bool_) for node in graph.nodes}
    found[graph.output.id][:] = True
    for node in reversed(graph.nodes):
        widths = [len(found[source]) for source in node.inputs]
        asked = _asked(node, f"{prefix}{node.id}.", found[node.id], widths, tensors)
        for source, flags in zip(node.inputs, asked, strict=True):
            found[source] |= flags
    return found


def _asked(
    node: Node, name: str, own: Flags, widths: Sequence[int], tensors: Mapping[str, Tensor]
) -> Sequence[Flags]:
    """Return for every port which channels the node's influential outputs depend on."""
    if node.op in {"conv", "linear"}:
        return [_columns_in_use(node, tensors[f"{name}weight"], own, widths[0])]
    if node.op == "se":
        return [own | _squeezed_in_use(name, own, tensors)]
    if node.op == "concat":
        return np.split(own, np.cumsum(widths)[:-1])
    if node.op == "flatten":
        return [np.asarray(own.reshape(widths[0], -1).any(axis=1))]
    if node.op in {"scale", "lerp"}:
        scaled = own & _nonzero(tensors[f"{name}scale"])
        return [scaled] if node.op == "scale" else [own, scaled]
    return [own] * len(widths)


def _squeezed_in_use(name: str, own: Flags, tensors: Mapping[str, Tensor]) -> Flags:
    """Return which channels matter through the weights that a squeeze and excitation gives."""
    excites = (_nonzero(tensors[f"{name}expand.weight"]) & own[:, None]).any()
    return np.asarray(_nonzero(tensors[f"{name}reduce.weight"]).any(axis=0) & excites)


def _columns_in_use(node: Node, weight: Tensor, own: Flags, width: int) -> Flags:
    groups: int = node.params.get("groups", 1)
    used = _nonzero(weight).reshape(groups, -1, *weight.shape[1:])
    rows = own.reshape(groups, -1, *[1] * (weight.ndim - 1))
    return (used & rows).any(axis=(1, *range(3, used.ndim))).reshape(width)


def _nonzero(tensor: Tensor) -> Flags:
    return (tensor != 0).numpy()
