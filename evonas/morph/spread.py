"""Index lists: where every channel of a graph comes from when its width changes.

Widening and pruning are one bookkeeping. A class becomes zero, one or more elements, in place, and
every tensor in which it occurs is indexed accordingly; offsets behind a concatenation and columns
behind `flatten` shift by themselves.
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
from evonas.morph.channels import MAKERS, Channels, Indices

Shares = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Spread:
    """Where the channels of one tensor come from.

    Attributes:
        index: For every channel the one it stems from (for a new one: stands behind).
        rank: 0 for the channel itself, 1, 2, ... for those put behind it.
        share: The part of the old channel's outgoing weight that goes to it; 0 for a channel that
            starts anew. The shares of one old channel sum to 1, or its class is pruned.
        width: How many channels there were.
    """

    index: Indices
    rank: Indices
    share: Shares
    width: int

    @classmethod
    def identity(cls, width: int) -> "Spread":
        """Return the spread that changes nothing."""
        return cls.kept(np.arange(width), width)

    @classmethod
    def kept(cls, index: Indices, width: int) -> "Spread":
        """Return the spread that keeps the channels at `index` of a tensor `width` wide."""
        return cls(index, np.zeros(len(index), dtype=np.int64), np.ones(len(index)), width)

    @classmethod
    def joined(cls, parts: Sequence["Spread"]) -> "Spread":
        """Return the spread of tensors put behind one another."""
        starts = np.cumsum([0, *(part.width for part in parts)])
        return cls(
            np.concatenate([part.index + starts[port] for port, part in enumerate(parts)]),
            np.concatenate([part.rank for part in parts]),
            np.concatenate([part.share for part in parts]),
            int(starts[-1]),
        )

    def flattened(self, area: int) -> "Spread":
        """Return the spread of the columns, each channel being a run of `area` of them."""
        return Spread(
            (self.index[:, None] * area + np.arange(area)).reshape(-1),
            np.repeat(self.rank, area),
            np.repeat(self.share, area),
            self.width * area,
        )

    def behind(self, count: int) -> "Spread":
        """Return the spread with `count` new channels put in front."""
        return Spread(
            np.concatenate([np.zeros(count, dtype=np.int64), self.index]),
            np.concatenate([np.arange(1, count + 1), self.rank]),
            np.concatenate([np.zeros(count), self.share]),
            self.width,
        )

    @cached_property
    def is_identity(self) -> bool:
        """Whether nothing changes."""
        return np.array_equal(self.index, np.arange(self.width)) and not self.rank.any()

    @cached_property
    def new(self) -> NDArray[np.bool_]:
        """Which channels start anew."""
        return self.share == 0.0

    def equals(self, other: "Spread") -> bool:
        """Return whether two tensors change alike."""
        return np.array_equal(self.index, other.index) and np.array_equal(self.share, other.share)


@final
@dataclass(frozen=True)
class Change:
    """What becomes of one layer: its outputs are rows of its tensors, its inputs columns."""

    rows: Spread
    columns: Spread


def resized(channels: Channels, shares: Mapping[int, Sequence[float]]) -> Mapping[str, Spread]:
    """Return the spread of every layer that makes channels.

    Args:
        channels: The classes of the graph before the edit.
        shares: For every class that changes, the shares of its elements: none to prune it,
            (1, 0, 0) to put two new ones behind it, (0.6, 0.4) to split it into two copies.
    """
    counts = np.ones(len(channels.frozen), dtype=np.int64)
    table = np.zeros((len(counts), max([1, *map(len, shares.values())])))
    table[:, 0] = 1.0
    for label, parts in shares.items():
        assert not channels.frozen[label], "a frozen class was chosen"
        counts[label] = len(parts)
        table[label, : len(parts)] = parts
    found: dict[str, Spread] = {}
    for maker, labels in channels.labels.items():
        index = np.repeat(np.arange(len(labels)), counts[labels])
        starts = np.cumsum(counts[labels]) - counts[labels]
        rank = np.arange(len(index)) - starts[index]
        found[maker] = Spread(index, rank, table[labels[index], rank], len(labels))
    return found


def changes(
    graph: LayerGraph, made: Mapping[str, Spread], front: Mapping[str, int] | None = None
) -> Mapping[str, Change]:
    """Carry spreads through the graph and return those layers for which something changes.

    Args:
        graph: The graph before the edit.
        made: The spreads of layers that make channels; others keep theirs.
        front: Layers whose readers will find this many new channels in front of theirs.

    Raises:
        EditError: if a change reaches a layer that cannot follow: one side of a sum alone, a
            grouped convolution, a frozen layer, the output.
    """
    read: dict[str, Spread] = {}
    found: dict[str, Change] = {}
    for node in graph.nodes:
        sources = [read[source] for source in node.inputs]
        if node.op in MAKERS or not sources:
            rows = made.get(node.id) or Spread.identity(graph.shapes[node.id][0])
        else:
            rows = _passed(graph, node, sources)
        columns = sources[0] if sources else rows
        if not (rows.is_identity and all(source.is_identity for source in sources)):
            _check(node, rows, sources)
            found[node.id] = Change(rows, columns)
        ahead = (front or {}).get(node.id, 0)
        read[node.id] = rows.behind(ahead) if ahead else rows
    return found


def _passed(graph: LayerGraph, node: Node, sources: Sequence[Spread]) -> Spread:
    if node.op == "concat":
        return Spread.joined(sources)
    if node.op == "flatten":
        return sources[0].flattened(math.prod(graph.shapes[node.inputs[0]][1:]))
    return sources[0]


def _check(node: Node, rows: Spread, sources: Sequence[Spread]) -> None:
    if node.op in {"add", "lerp"} and not all(sources[0].equals(other) for other in sources[1:]):
        raise EditError(f"layer {node.id!r} ({node.op}) cannot take more channels on one side")
    if node.op == "conv" and node.params["groups"] > 1:
        raise EditError(f"layer {node.id!r} keeps its inputs, for its channels are grouped")
    if (node.frozen or node.op == "output") and not rows.is_identity:
        raise EditError(f"layer {node.id!r} is frozen, so its width stays")
