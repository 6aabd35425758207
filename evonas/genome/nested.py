"""Sub-networks of a network, which share its parameters: fewer blocks, or another end.

A network whose blocks are named `stage.block` (`s1.b2.conv1`; `layer1_0.conv1` in an adopted
ResNet) is nested in depth: the sub-network of depths (1, 2) uses the first block of its first stage
and the first two of its second. A block can be left out if it has a shortcut from what it reads to
what it returns, and these have one shape, which no widening can part; its readers then read what it
read. Sums lose what else a block that is left out gave them. All is read from the graph at hand, so
that every edit of the network is at once one of its sub-networks: layers made by edits are in the
block of what they edit.

Batch norms and the last linear layer are not shared: at one place, networks of different depths see
different statistics. Everything else is, the scales of gates and shortcuts included.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import final

from evonas.errors import EditError
from evonas.genome.layers import LayerGraph, Node
from evonas.genome.taps import taps, trunk

_NAME = re.compile(r"(?P<block>(?P<stage>.+?)[._](b|block)?\d+)([._].+)?")
_PASSING = frozenset({"act", "add", "concat", "lerp", "se", "dropout"})
"""Operations that adopted networks and their edits may leave without the name of a block."""

_SUMS = frozenset({"add", "lerp"})


def depths(graph: LayerGraph) -> tuple[int, ...]:
    """Return how many blocks the stages have, empty if no block can be left out.

    The first block of a stage is always used; of the others those count that can be left out.
    """
    optional = _Blocks(graph).optional.values()
    return tuple(1 + len(blocks) for blocks in optional) if any(optional) else ()


def nested(graph: LayerGraph, depths: Sequence[int]) -> LayerGraph:
    """Return the sub-network with the first blocks of every stage, as many as `depths` says.

    Raises:
        EditError: if the network has no such sub-network.
    """
    blocks = _Blocks(graph)
    optional = blocks.optional.values()
    if not any(optional):
        raise EditError("the network has no blocks with shortcuts, named stage.block, to leave out")
    if len(depths) != len(optional):
        raise EditError(f"depths {tuple(depths)!r} should be {len(optional)} numbers, one a stage")
    for stage, depth in zip(blocks.optional, depths, strict=True):
        if not 1 <= depth <= 1 + len(blocks.optional[stage]):
            raise EditError(
                f"stage {stage!r} cannot have {depth!r} blocks, should be from 1 to"
                f" {1 + len(blocks.optional[stage])}"
            )
    kept = zip(optional, depths, strict=True)
    return _without(blocks, {block for names, depth in kept for block in names[depth - 1 :]})


def own_layers(graph: LayerGraph, view: LayerGraph) -> frozenset[str]:
    """Return the layers whose tensors a sub-network has for itself: norms and the last layer.

    Args:
        graph: The whole network.
        view: The sub-network, as `nested` made it of `graph`.
    """
    head = [node.id for node in trunk(graph) if node.op == "linear"][-1:]
    return frozenset(node.id for node in view.nodes if node.op == "bn" or node.id in head)


def branch_layers(graph: LayerGraph, tap: str) -> frozenset[str]:
    """Return the layers that a branch has for itself which leaves the network at a tap.

    Raises:
        EditError: if the network has no such tap.
    """
    known = taps(graph)
    if tap not in known:
        raise EditError(f"the network has no tap {tap!r} (it has: {', '.join(known)})")
    shared = graph.ancestors(known[tap].layer) | {known[tap].layer}
    return frozenset(node.id for node in graph.nodes if node.id not in shared)


@final
@dataclass(frozen=True, eq=False)
class _Blocks:
    """The blocks of a network by their names, in the order in which they are run."""

    graph: LayerGraph

    @cached_property
    def owner(self) -> Mapping[str, str]:
        """The block of every layer that is in one; unnamed layers follow what they read."""
        found: dict[str, str] = {}
        order: dict[str, int] = {}
        for node in self.graph.nodes:
            if name := _NAME.fullmatch(node.block):
                found[node.id] = name["block"]
                order.setdefault(name["block"], len(order))
            elif node.op in _PASSING and not node.block:
                read = [found[source] for source in node.inputs if source in found]
                if read:
                    found[node.id] = max(read, key=order.__getitem__)
        return found

    @cached_property
    def layers(self) -> Mapping[str, Sequence[Node]]:
        """The layers of every block."""
        found: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            if node.id in self.owner:
                found.setdefault(self.owner[node.id], []).append(node)
        return found

    @cached_property
    def optional(self) -> Mapping[str, Sequence[str]]:
        """The blocks of every stage that can be left out, the first never among them."""
        stages: dict[str, list[str]] = {}
        for block in self.layers:
            name = _NAME.fullmatch(block)
            assert name is not None, "every block is collected by its name"
            stages.setdefault(name["stage"], []).append(block)
        return {
            stage: [block for block in blocks[1:] if self._has_shortcut(block)]
            for stage, blocks in stages.items()
        }

    def entry(self, block: str) -> str:
        """Return what a block reads: its first layer's input, for skips into it come later."""
        return self.layers[block][0].inputs[0]

    @cached_property
    def exits(self) -> Mapping[str, str]:
        """What every block makes: of its layers the one that leads to the next block's first.

        Its last layer may be one that only a skip connection reads.
        """
        *_, last = self.layers
        found = {last: self.layers[last][-1].id}
        for block, following in pairwise(self.layers):
            source = self.graph[self.entry(following)]
            while self.owner.get(source.id) != block and source.inputs:
                source = self.graph[source.inputs[0]]
            found[block] = source.id
        return found

    def _has_shortcut(self, block: str) -> bool:
        shapes, start, end = self.graph.shapes, self.entry(block), self.exits[block]
        sums = [node for node in self.layers[block] if node.op in _SUMS and start in node.inputs]
        return bool(sums) and self.owner.get(end) == block and shapes[start] == shapes[end]


def _without(blocks: _Blocks, removed: set[str]) -> LayerGraph:
    """Return the graph without some blocks, and without what only they led to.

    Raises:
        EditError: if a layer that must stay reads from inside of them.
    """
    graph = blocks.graph
    entries = {blocks.exits[block]: blocks.entry(block) for block in removed}
    stands: dict[str, str] = {}
    changed: list[Node] = []
    for node in graph.nodes:
        if blocks.owner.get(node.id) in removed:
            if entries.get(node.id) in stands:
                stands[node.id] = stands[entries[node.id]]
            continue
        inputs = tuple(stands[source] for source in node.inputs if source in stands)
        if node.op == "add" and len(inputs) == 1:
            stands[node.id] = inputs[0]
        elif len(inputs) == len(node.inputs) or (node.op == "add" and inputs):
            stands[node.id] = node.id
            changed.append(replace(node, inputs=inputs))
    if graph.output.id not in stands:
        names = ", ".join(sorted(removed))
        raise EditError(f"the blocks {names} cannot be left out: layers read from inside of them")
    alive = LayerGraph(tuple(changed)).ancestors(graph.output.id) | {graph.output.id}
    mirrors = tuple(block for block in graph.mirrors if block not in removed)
    view = LayerGraph(tuple(node for node in changed if node.id in alive), mirrors)
    view.validate()
    return view
