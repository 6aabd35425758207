"""Channels that go: where they are in the tensors, which are the weakest, what stays of a state.

Channels are ranked by the L1 norm of the weights that make them (Pruning Filters for Efficient
ConvNets, Li et al., 2017, https://arxiv.org/abs/1608.08710), summed over all layers that sums tie
together. Ties, as among channels that a pruning has zeroed, go to the one whose biases, norms and
scales are smaller, so that a channel that is zero in everything goes first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from evonas.genome import LayerGraph
from evonas.morph.channels import MAKERS, Channels, Group, Indices
from evonas.morph.spread import Shares, changes, resized
from evonas.morph.transfer import AXES, COLUMNS, ROWS, Growth, transferred
from evonas.seeds import Rng
from evonas.state import LEADER, State

STATISTICS = frozenset({"running_mean", "running_var"})
"""Tensors with rows that no optimizer moves."""


@final
@dataclass(frozen=True, eq=False)
class Occurrence:
    """Where channel classes are in one tensor of a layer.

    Attributes:
        name: The tensor's.
        op: The layer's operation.
        parameter: The tensor's name in the layer.
        rows: The class of every place along the first axis, -1 for an input of the network; None
            if that axis counts no channels.
        columns: The same along the second axis.
    """

    name: str
    op: str
    parameter: str
    rows: Indices | None
    columns: Indices | None

    @property
    def makes(self) -> bool:
        """Whether the rows are what makes the channels, and not what follows them."""
        return self.op in MAKERS and self.parameter == "weight"

    @property
    def is_norm(self) -> bool:
        """Whether it is the scale of a batch norm."""
        return self.op == "bn" and self.parameter == "weight"


def occurrences(graph: LayerGraph, channels: Channels, prefix: str) -> Iterator[Occurrence]:
    """Yield all tensors with channels that the layers of a graph have, or may have (a bias)."""
    labels = channels.through(graph)
    for node in graph.nodes:
        for parameter, axes in AXES.get(node.op, {}).items():
            yield Occurrence(
                f"{prefix}{node.id}.{parameter}",
                node.op,
                parameter,
                labels[node.id] if ROWS in axes else None,
                labels[node.inputs[0]] if COLUMNS in axes else None,
            )


@final
@dataclass(frozen=True, eq=False)
class Strengths:
    """How strong every channel class of a graph is.

    Attributes:
        norms: The L1 norm of all weights that make it.
        rest: The same of its biases, norms and scales, which decides where the first are equal.
    """

    norms: Shares
    rest: Shares

    @classmethod
    def of(cls, graph: LayerGraph, channels: Channels, prefix: str, state: State) -> "Strengths":
        """Measure the classes of a graph in a state; of a target, in the candidate it follows."""
        tensors = state.part(LEADER).tensors or state.tensors
        count = len(channels.frozen)
        norms, rest = np.zeros(count), np.zeros(count)
        for place in occurrences(graph, channels, prefix):
            if place.rows is None or place.parameter in STATISTICS:
                continue
            if place.name not in tensors:
                continue
            sizes = tensors[place.name].double().abs().reshape(len(place.rows), -1).sum(1)
            known = place.rows >= 0
            np.add.at(norms if place.makes else rest, place.rows[known], sizes.numpy()[known])
        return cls(norms, rest)

    def weakest(self, group: Group, count: int) -> list[int]:
        """Return the weakest classes of a group, the weakest first."""
        order = np.lexsort((self.rest[group.classes], self.norms[group.classes]))
        return group.classes[order[:count]].tolist()


def removed(  # noqa: PLR0913, PLR0917 - a state, where it belongs, and what goes
    state: State,
    graph: LayerGraph,
    channels: Channels,
    prefix: str,
    gone: Iterable[int],
    rng: Rng,
) -> State:
    """Return the state without some classes of channels: tensors and optimizer slots.

    Args:
        state: Of the wide graph.
        graph: The wide graph.
        channels: Its classes.
        prefix: What stands before the names of the graph's tensors.
        gone: The classes that go.
        rng: Nothing is drawn from it, for nothing is new.
    """
    none: Mapping[int, tuple[float, ...]] = dict.fromkeys(gone, ())
    moved = changes(graph, resized(channels, none))
    return transferred(state, graph, prefix, moved, Growth(rng=rng))
