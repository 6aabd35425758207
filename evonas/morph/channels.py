"""Channel classes: which channels of which layers must be widened or pruned together.

A convolution or linear layer makes fresh channels. `add` and `lerp` tie their inputs channel by
channel, `concat` puts them behind one another, every other layer passes its input's channels on;
`flatten` turns one channel into a run of height x width columns. What is tied is one class, found
by a union-find over all channels at once, so nested sums and concatenations need no special case.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from evonas.errors import EditError
from evonas.genome import LayerGraph, Node

Indices = NDArray[np.int64]
MAKERS = frozenset({"conv", "linear"})
_TIES = frozenset({"add", "lerp"})


@final
@dataclass(frozen=True, eq=False)
class Group:
    """Interchangeable classes: whichever of them is widened or pruned, the graph is the same.

    Attributes:
        classes: The classes, ascending.
        makers: For every layer that makes them, how many of its channels one class holds.
    """

    classes: Indices
    makers: Mapping[str, int]


@final
@dataclass(frozen=True, eq=False)
class Channels:
    """The channel classes of a graph.

    Attributes:
        labels: For every layer that makes channels the class of each.
        frozen: For every class whether its width must stay: it enters or leaves the network,
            belongs to a frozen layer, or to a grouped convolution, whose channels cannot change
            without changing groups. A frozen layer still takes more or fewer inputs.
    """

    labels: Mapping[str, Indices]
    frozen: NDArray[np.bool_]

    @classmethod
    def of(cls, graph: LayerGraph) -> "Channels":
        """Find the classes of a graph."""
        out: dict[str, Indices] = {}
        ties: list[tuple[Indices, Indices]] = []
        fixed: list[Indices] = [np.arange(0)]
        flat: set[str] = set()
        total = 0
        for node in graph.nodes:
            sources = [out[source] for source in node.inputs]
            flattened = not flat.isdisjoint(node.inputs) and node.op not in MAKERS
            if node.op in MAKERS or not sources:
                out[node.id] = np.arange(total, total + graph.shapes[node.id][0])
                total += graph.shapes[node.id][0]
            else:
                out[node.id] = _passed(graph, node, sources)
            if node.op in _TIES:
                ties.extend((sources[0], other) for other in sources[1:])
            if flattened or node.op == "flatten":
                flat.add(node.id)
            fixed.extend(_fixed(node, out[node.id], sources, flattened))
        roots, classes = np.unique(_components(total, ties), return_inverse=True)
        frozen = np.zeros(len(roots), dtype=np.bool_)
        frozen[classes[np.concatenate(fixed)]] = True
        makers = [node.id for node in graph.nodes if node.op in MAKERS]
        return cls({maker: classes[out[maker]] for maker in makers}, frozen)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups whose width may change, in the order of their first channels."""
        free = np.flatnonzero(~self.frozen)
        counts = [
            np.bincount(channels, minlength=len(self.frozen))[free].tolist()
            for channels in self.labels.values()
        ]
        found: dict[tuple[int, ...], list[int]] = {}
        for label, row in zip(free.tolist(), zip(*counts, strict=True), strict=True):
            found.setdefault(row, []).append(label)
        return tuple(
            Group(np.array(classes), self._makers_of(row)) for row, classes in found.items()
        )

    def parts(self, maker: str) -> Sequence[Group]:
        """Return the groups that a layer's channels belong to, in the order of its channels."""
        return self._parts.get(maker, ())

    def through(self, graph: LayerGraph) -> Mapping[str, Indices]:
        """Return for every layer the class of each channel it puts out; -1 for an input's.

        Args:
            graph: The graph that these are the classes of.
        """
        found: dict[str, Indices] = {}
        for node in graph.nodes:
            if node.id in self.labels:
                found[node.id] = self.labels[node.id]
            elif node.inputs:
                found[node.id] = _passed(graph, node, [found[source] for source in node.inputs])
            else:
                found[node.id] = np.full(graph.shapes[node.id][0], -1)
        return found

    @cached_property
    def _parts(self) -> Mapping[str, Sequence[Group]]:
        """The groups of every layer that makes channels."""
        group_of = np.full(len(self.frozen), -1)
        for number, group in enumerate(self.groups):
            group_of[group.classes] = number
        return {
            maker: [self.groups[n] for n in dict.fromkeys(group_of[own].tolist()) if n >= 0]
            for maker, own in self.labels.items()
        }

    def part(self, maker: str, number: int) -> Group:
        """Return one group of a layer's channels.

        Raises:
            EditError: if the layer has no such group that may be resized.
        """
        parts = self.parts(maker)
        if number >= len(parts):
            raise EditError(f"layer {maker!r} has {len(parts)} groups of channels to resize")
        return parts[number]

    def _makers_of(self, counts: Sequence[int]) -> Mapping[str, int]:
        pairs = zip(self.labels, counts, strict=True)
        return {maker: count for maker, count in pairs if count}


def _passed(graph: LayerGraph, node: Node, sources: Sequence[Indices]) -> Indices:
    """Return what a layer that makes no channels of its own puts out."""
    if node.op == "concat":
        return np.concatenate(sources)
    if node.op == "flatten":
        return np.repeat(sources[0], math.prod(graph.shapes[node.inputs[0]][1:]))
    return sources[0]


def _fixed(
    node: Node, own: Indices, sources: Sequence[Indices], flattened: bool
) -> Sequence[Indices]:
    """Return the channels that this layer keeps from being resized."""
    if node.op == "conv" and node.params["groups"] > 1:
        return [own, *sources]
    if node.op in _TIES and flattened:
        return sources  # a run of columns on one side would meet single channels on the other
    return [own] if node.frozen or node.op in {"input", "output"} else []


def _components(count: int, ties: Sequence[tuple[Indices, Indices]]) -> Indices:
    """Return for each of `count` elements the smallest one that it is tied to."""
    root = np.arange(count)
    if not ties:
        return root
    left = np.concatenate([tie[0] for tie in ties])
    right = np.concatenate([tie[1] for tie in ties])
    while not np.array_equal(root[left], root[right]):
        lowest = np.minimum(root[left], root[right])
        np.minimum.at(root, root[left], lowest)
        np.minimum.at(root, root[right], lowest)
        while not np.array_equal(root, root[root]):
            root = root[root]
    return root
