"""The layers that seeds of several spaces are made of."""

from dataclasses import replace

from evonas.genome import Node

HEAD = "head"
"""The name of the layer that makes a network's output."""

_NORM = {"eps": 1e-5, "momentum": 0.1}


def linear(block: str, source: str, width: int) -> Node:
    """Return the linear layer of a block."""
    return Node(f"{block}.linear", "linear", (source,), {"out": width, "bias": True})


def conv(block: str, source: str, width: int, kernel: int = 3, stride: int = 1) -> Node:
    """Return the square convolution of a block; its rim of zeros is half the kernel wide."""
    window = {
        "kernel": [kernel, kernel],
        "stride": [stride, stride],
        "padding": [kernel // 2, kernel // 2],
        "dilation": [1, 1],
    }
    params = {**window, "groups": 1, "bias": True, "out": width}
    return Node(f"{block}.conv", "conv", (source,), params)


def activated(made: Node, activation: str, *, batch_norm: bool) -> list[Node]:
    """Return a layer and what follows it in its block; with batch norm it needs no bias."""
    nodes = [replace(made, params={**made.params, "bias": not batch_norm})]
    if batch_norm:
        nodes.append(Node(f"{made.block}.bn", "bn", (made.id,), _NORM))
    return [*nodes, Node(f"{made.block}.act", "act", (nodes[-1].id,), {"kind": activation})]


def ending(source: str, outputs: int) -> list[Node]:
    """Return the linear head, which mutations leave alone, and the output."""
    return [
        Node(HEAD, "linear", (source,), {"out": outputs, "bias": True}, frozen=True),
        Node("output", "output", (HEAD,), frozen=True),
    ]
