"""Split a layer into two parallel ones whose outputs are put behind one another.

From EENA (Efficient Evolution of Neural Architecture, Zhu et al., 2019,
https://arxiv.org/abs/1905.07320). The convolution and the batch norm and activation behind it are
split in the middle of their channels; no parameter is new. The left half keeps the layers' names,
so edits of the whole layer that come from another lineage go on as edits of its left half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, final

import numpy as np
from torch import Tensor

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.channels import Indices
from evonas.morph.insertion import graph_of, rewired
from evonas.morph.mutation import Mutation
from evonas.morph.naming import instances, made_by, prefix, site
from evonas.morph.spread import Change, Spread
from evonas.morph.transfer import Growth, transferred
from evonas.morph.widths import first_applicable
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class Branch(Mutation):
    """Split convolution, batch norm and activation into a left and a right half."""

    operator: ClassVar[str] = "branch"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "EENA, Zhu et al. 2019, arXiv 1905.07320"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a convolution."""
        targets = {
            f"{name}/{site(graph, node)}": None
            for name, graph in genome.architecture.items()
            for node in graph.nodes
            if node.op == "conv"
        }
        drawn = [list(targets)[number] for number in rng.permutation(len(targets))]
        return first_applicable(
            partial(self.apply, genome), (genome.edit("branch", target) for target in drawn)
        )

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the layer split, in every mirrored block."""
        name, graph, layer = graph_of(genome, edit.targets[0])
        for chain in _chains(graph, layer):
            graph = _split(graph, chain, edit)
        graph.validate()
        return genome.with_graph(name, graph).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Give each half its part of the old tensors and optimizer slots."""
        del after
        name, graph, layer = graph_of(before, edit.targets[0])
        start, growth = prefix(before, name), Growth(rng=rng)
        for chain in _chains(graph, layer):
            width: int = chain[0].params["out"]
            left, right = np.split(np.arange(width), [width // 2])
            names = {f"{start}{node.id}.": f"{start}{_right(node, edit)}." for node in chain}
            other = transferred(state, graph, start, _kept(graph, chain, right), growth)
            state = transferred(state, graph, start, _kept(graph, chain, left), growth)
            state = _beside(state, other, names)
        return state


def _chains(graph: LayerGraph, layer: str) -> Sequence[Sequence[Node]]:
    """Return the layers to split, in every mirrored block.

    Raises:
        EditError: if the layer cannot be split, or mirrored blocks would differ.
    """
    chains = [_chain(graph, graph[conv]) for conv in instances(graph, layer)]
    if any([n.op for n in chain] != [n.op for n in chains[0]] for chain in chains):
        raise EditError(f"layer {layer!r} is read differently in mirrored blocks")
    return chains


def _chain(graph: LayerGraph, conv: Node) -> Sequence[Node]:
    """Return a convolution and the batch norm and activation that read it alone."""
    if conv.op != "conv" or conv.frozen or conv.params["groups"] > 1 or conv.params["out"] < 2:
        raise EditError(f"layer {conv.id!r} ({conv.op}) cannot be split into two")
    chain = [conv]
    for op in ("bn", "act"):
        readers = [graph[reader] for reader in graph.consumers[chain[-1].id]]
        if [(n.op, n.block, n.frozen) for n in readers] == [(op, conv.block, False)]:
            chain.append(readers[0])
    return chain


def _split(graph: LayerGraph, chain: Sequence[Node], edit: Edit) -> LayerGraph:
    """Return the graph with the left half under the old names, the right one and their join."""
    conv, *rest = chain
    width: int = conv.params["out"]
    left = replace(conv, params={**conv.params, "out": width // 2})
    right = [
        Node(_right(conv, edit), "conv", conv.inputs, {**conv.params, "out": width - width // 2})
    ]
    for node in rest:
        right.append(Node(_right(node, edit), node.op, (right[-1].id,), node.params))
    name = made_by(edit.id, "join", "concat", conv.block)
    join = Node(name, "concat", (chain[-1].id, right[-1].id))
    readers = [graph[reader] for reader in graph.consumers[chain[-1].id]]
    return graph.with_nodes([left, *right, join, *rewired(readers, chain[-1].id, name)])


def _right(node: Node, edit: Edit) -> str:
    return made_by(edit.id, "right", node.op, node.block)


def _kept(graph: LayerGraph, chain: Sequence[Node], rows: Indices) -> Mapping[str, Change]:
    """Return the change that leaves some channels of the chain."""
    conv, *rest = chain
    half = Spread.kept(rows, conv.params["out"])
    inputs = Spread.identity(graph.shapes[conv.inputs[0]][0])
    return {conv.id: Change(half, inputs)} | {node.id: Change(half, half) for node in rest}


def _beside(state: State, other: State, names: Mapping[str, str]) -> State:
    """Return the state with layers of `other` added, whose names begin as `names` says."""
    slots = {
        slot: {**values, **_renamed(other.slots[slot], names)}
        for slot, values in state.slots.items()
    }
    return State({**state.tensors, **_renamed(other.tensors, names)}, slots)


def _renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    return {
        new + key.removeprefix(old): tensor.clone()  # halves share no memory: counters, steps
        for key, tensor in tensors.items()
        for old, new in names.items()
        if key.startswith(old)
    }
