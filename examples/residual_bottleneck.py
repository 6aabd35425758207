"""A mutation in one file: insert a residual bottleneck, x + up(relu(down(x))), into a perceptron.

The last linear layer of the branch starts at zero (ReZero is all you need, Bachlechner et al.,
2020, https://arxiv.org/abs/2003.04887, in its simplest form), so the child computes exactly what
its parent computed, and moves from there.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.carry import carried
from evonas.morph.mutation import Mutation
from evonas.morph.naming import made_by, prefix, split_target
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class InsertBottleneck(Mutation):
    """Insert a residual bottleneck after an activation.

    Attributes:
        widths: Hidden widths to choose from.
    """

    operator: ClassVar[str] = "insert-bottleneck"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "ReZero, Bachlechner et al., 2020, https://arxiv.org/abs/2003.04887"

    widths: tuple[int, ...] = (4, 8)

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place and a width."""
        places = [
            f"{name}/{node.id}"
            for name, graph in genome.architecture.items()
            for node in graph.nodes
            if _fits(graph, node)
        ]
        if not places:
            return None
        place = places[int(rng.integers(len(places)))]
        width = self.widths[int(rng.integers(len(self.widths)))]
        return genome.edit("insert-bottleneck", place, width=width)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the branch after the activation, and its readers after the sum."""
        name, node_id = split_target(edit.targets[0])
        if name not in genome.architecture:
            raise EditError(f"the genome has no graph {name!r}")
        graph = genome.architecture[name]
        before = graph[node_id]
        if not _fits(graph, before):
            raise EditError(f"a bottleneck cannot follow layer {node_id!r} ({before.op})")
        branch = _branch(edit, before, graph.shapes[node_id][0])
        readers = [graph[reader] for reader in graph.consumers[node_id]]
        moved = [_reading(reader, node_id, branch[-1].id) for reader in readers]
        edited = graph.with_nodes([*branch, *moved])
        edited.validate()
        return genome.with_graph(name, edited).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Keep all tensors, draw the new layers, and close the branch."""
        given = carried(before, after, state, rng)
        name, _ = split_target(edit.targets[0])
        up = f"{prefix(after, name)}{made_by(edit.id, 'up', 'linear')}.weight"
        tensors = {**given.tensors, up: torch.zeros_like(given.tensors[up])}
        return State(tensors, given.slots)


def _fits(graph: LayerGraph, node: Node) -> bool:
    """Return whether a bottleneck may follow: after an activation of a vector, in no mirror."""
    return (
        node.op == "act"
        and not node.frozen
        and node.block not in graph.mirrors
        and len(graph.shapes[node.id]) == 1
    )


def _branch(edit: Edit, before: Node, width: int) -> list[Node]:
    """Return the new layers: down, activation, up, sum."""
    ids = {role: made_by(edit.id, role, op) for role, op in _ROLES.items()}
    return [
        Node(ids["down"], "linear", (before.id,), {"out": edit.args["width"], "bias": True}),
        Node(ids["relu"], "act", (ids["down"],), {"kind": "relu"}),
        Node(ids["up"], "linear", (ids["relu"],), {"out": width, "bias": False}),
        Node(ids["sum"], "add", (before.id, ids["up"])),
    ]


_ROLES = {"down": "linear", "relu": "act", "up": "linear", "sum": "add"}


def _reading(node: Node, old: str, new: str) -> Node:
    """Return the layer with another source."""
    inputs = tuple(new if source == old else source for source in node.inputs)
    return Node(node.id, node.op, inputs, node.params, node.frozen)
