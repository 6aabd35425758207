"""What a layer graph costs, in closed form: the numbers that the built network is measured at.

Repair asks dozens of times what a thinner network would cost, too often to build each of them.
Counted as in `evonas.measure`: multiply-accumulates of convolutions and matrix products, without
biases and element-wise work.
"""

import math
from collections.abc import Mapping
from typing import Any

from evonas.genome.layers import LayerGraph, Node
from evonas.genome.shapes import Shape


def macs(graph: LayerGraph) -> int:
    """Return the multiply-accumulates of one input."""
    return sum(
        _weights(node, graph.shapes[node.inputs[0]]) * _area(node, graph.shapes[node.id])
        for node in graph.nodes
        if node.inputs
    )


def parameters(graph: LayerGraph) -> int:
    """Return how many numbers are trained."""
    return sum(
        _weights(node, graph.shapes[node.inputs[0]])
        + _vectors(node.op, node.params, graph.shapes[node.id][0])
        for node in graph.nodes
        if node.inputs
    )


def _weights(node: Node, given: Shape) -> int:
    """Return how many weights a layer multiplies with."""
    params = node.params
    match node.op:
        case "conv":
            return params["out"] * (given[0] // params["groups"]) * math.prod(params["kernel"])
        case "depthwise":
            return given[0] * math.prod(params["kernel"])
        case "linear":
            return params["out"] * given[0]
        case "se":
            return 2 * given[0] * params["squeeze"]
        case _:
            return 0


def _area(node: Node, made: Shape) -> int:
    """Return how often a layer's weights are used: the excitation sees means, not the map."""
    return 1 if node.op == "se" else math.prod(made[1:])


def _vectors(op: str, params: Mapping[str, Any], width: int) -> int:
    """Return how many trained numbers are biases and scales."""
    match op:
        case "conv" | "depthwise" | "linear":
            return width if params["bias"] else 0
        case "bn":
            return 2 * width
        case "scale" | "lerp":
            return width
        case "se":
            return params["squeeze"] + width
        case _:
            return 0
