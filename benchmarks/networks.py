"""The networks of the pruning benchmarks as layer graphs, and genes that prune them uniformly."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.morph.keep import Prunable

_CONV: Mapping[str, Any] = {
    "kernel": [3, 3],
    "stride": [1, 1],
    "padding": [1, 1],
    "dilation": [1, 1],
    "groups": 1,
    "bias": False,
}
_POINT = {"kernel": [1, 1], "padding": [0, 0]}
_NORM = {"eps": 1e-5, "momentum": 0.1}
_POOL = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]}


def plain(shape: Sequence[int], widths: Sequence[int], classes: int) -> Genome:
    """Return convolutions with GELU, a maximum pool between two of them, and no batch norm."""
    nodes = [Node("input", "input", (), {"shape": list(shape)})]
    for number, width in enumerate(widths):
        if number:
            nodes.append(Node(f"pool{number}", "maxpool", (nodes[-1].id,), _POOL))
        name = f"conv{number}"
        nodes.append(_conv(name, nodes[-1].id, width, bias=True))
        nodes.append(Node(f"act{number}", "act", (name,), {"kind": "gelu"}))
    return _classifier(nodes, classes)


def resnet(
    shape: Sequence[int], widths: Sequence[int], blocks: int, classes: int, *, identity: bool
) -> Genome:
    """Return a ResNet for small pictures: a stem, and a stage of `blocks` for each width.

    "Deep Residual Learning for Image Recognition" (He et al., 2015, arXiv 1512.03385). Where a
    stage changes the width, the shortcut is a convolution of one pixel with a batch norm. The
    paper's option A (`identity`: every other pixel, between channels of zeros) is such a
    convolution too, without the norm, if it has the weights of `option_a`.
    """
    nodes = [Node("input", "input", (), {"shape": list(shape)})]
    nodes += _conv_bn("input", "conv1", "bn1", widths[0])
    nodes.append(Node("act1", "act", ("bn1",), {"kind": "relu"}))
    for stage, width in enumerate(widths, start=1):
        for number in range(blocks):
            halves = stage > 1 and number == 0
            shortcut = ("identity" if identity else "norm") if halves else "none"
            nodes += _block(f"layer{stage}.{number}.", nodes[-1].id, width, shortcut)
    return _classifier(nodes, classes)


def option_a(width: int) -> Tensor:
    """Return the shortcut's weights that set half as many channels between quarters of zeros."""
    weight = torch.zeros(width, width // 2, 1, 1)
    for channel in range(width // 2):
        weight[width // 4 + channel, channel] = 1
    return weight


def with_genes(genome: Genome, schedule: Schedule, ratio: float) -> Genome:
    """Return the genome with genes that prune `ratio` of every group or layer, rounded down."""
    sizes = Prunable.of(genome, schedule.residual, schedule.granularity).sizes
    kept = {
        name: Kept(size - math.floor(size * ratio + 1e-9), size) for name, size in sizes.items()
    }
    return PruningGenes(schedule=schedule, kept=kept).put_into(genome)


def _block(
    block: str, source: str, width: int, shortcut: Literal["none", "identity", "norm"]
) -> list[Node]:
    """Return a basic block; one whose shortcut is a layer halves the map."""
    stride = 1 if shortcut == "none" else 2
    nodes = _conv_bn(source, f"{block}conv1", f"{block}bn1", width, stride)
    nodes.append(Node(f"{block}act1", "act", (f"{block}bn1",), {"kind": "relu"}))
    nodes += _conv_bn(f"{block}act1", f"{block}conv2", f"{block}bn2", width)
    beside = source
    if shortcut != "none":
        beside = f"{block}shortcut"
        nodes.append(_conv(beside, source, width, **_POINT, stride=[stride, stride]))
    if shortcut == "norm":
        nodes.append(Node(f"{block}norm", "bn", (beside,), _NORM))
        beside = f"{block}norm"
    nodes.append(Node(f"{block}add", "add", (f"{block}bn2", beside)))
    return [*nodes, Node(f"{block}act2", "act", (f"{block}add",), {"kind": "relu"})]


def _conv(name: str, source: str, width: int, **changes: object) -> Node:
    return Node(name, "conv", (source,), {**_CONV, "out": width, **changes})


def _conv_bn(source: str, conv: str, norm: str, width: int, stride: int = 1) -> list[Node]:
    return [_conv(conv, source, width, stride=[stride, stride]), Node(norm, "bn", (conv,), _NORM)]


def _classifier(nodes: Sequence[Node], classes: int) -> Genome:
    """Return the genome whose network averages over the map and ends in a linear layer."""
    graph = LayerGraph(
        (
            *nodes,
            Node("gap", "gap", (nodes[-1].id,)),
            Node("linear", "linear", ("gap",), {"out": classes, "bias": True}),
            Node("output", "output", ("linear",)),
        )
    )
    graph.validate()
    return Genome({"net": graph})
