"""The insertions as EENA published them, kept for comparison; details reconstructed.

EENA: Efficient Evolution of Neural Architecture, Zhu et al., 2019, https://arxiv.org/abs/1905.07320.
The paper's text states the operators for convolution, batch norm and ReLU without saying how batch
norm starts, and no code of the search is public. So reconstructed: batch norm starts as the
identity of its running statistics, and columns for the new channels of a dense connection at zero.

Measured: `eena-insert` changes the function in training mode by percents, and the zero convolutions
of `eena-shortcut` and `eena-dense` get no gradient, for ever: their batch norm puts out 0, where
ReLU has slope 0. `insert-layer`, `insert-shortcut` and `insert-dense` are the living forms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.genome.shapes import IDEMPOTENT
from evonas.morph.carry import carried
from evonas.morph.dense import InsertDense
from evonas.morph.insert_layer import with_identities
from evonas.morph.insertion import (
    chain,
    graph_of,
    has_room,
    inserted,
    made,
    normed,
    proposed,
    weighted,
)
from evonas.morph.mutation import Mutation
from evonas.morph.naming import made_by, prefix
from evonas.seeds import Rng
from evonas.state import State

_SOURCE = "EENA, Zhu et al. 2019, https://arxiv.org/abs/1905.07320"


@final
@dataclass(frozen=True, kw_only=True)
class LiteralInsert(Mutation):
    """Insert an identity convolution with batch norm and ReLU behind a ReLU.

    Attributes:
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "eena-insert"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = _SOURCE

    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place after an idempotent activation."""
        return proposed(genome, rng, "eena-insert", (3,), self._fits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the layer in it, in every mirrored block."""

        def identity(graph: LayerGraph, after: Node) -> list[Node]:
            if not _is_relu(after):
                raise EditError(f"layer {after.id!r} ({after.op}) is no idempotent activation")
            return _steps(graph, after, edit, "insert")

        return inserted(genome, edit, identity)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Make the convolution and, by its running statistics, the batch norm an identity."""
        state = with_identities(after, edit, "insert", carried(before, after, state, rng))
        name, graph, _ = graph_of(after, edit.targets[0])
        tensors = dict(state.tensors)
        for node in made(graph, edit, "insert", "bn"):
            key = f"{prefix(after, name)}{node.id}.weight"
            tensors[key] = torch.full_like(tensors[key], (1.0 + node.params["eps"]) ** 0.5)
        return replace(state, tensors=tensors)

    def _fits(self, graph: LayerGraph, node: Node) -> bool:
        return _is_relu(node) and has_room(graph, node, 1, self.max_layers)


@final
@dataclass(frozen=True, kw_only=True)
class LiteralShortcut(Mutation):
    """Insert y = x + ReLU(BN(conv x)) with a convolution of zeros.

    Attributes:
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "eena-shortcut"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    alive: ClassVar[bool] = False
    source: ClassVar[str] = _SOURCE

    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place after an idempotent activation."""
        return proposed(genome, rng, "eena-shortcut", (3,), self._fits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the layer and the sum in it, in every mirrored block."""

        def residual(graph: LayerGraph, after: Node) -> list[Node]:
            branch = _steps(graph, after, edit, "shortcut")
            total = made_by(edit.id, "shortcut", "add", after.block)
            return [*branch, Node(total, "add", (after.id, branch[-1].id))]

        return inserted(genome, edit, residual)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Start the new layer at zero."""
        return _zeroed(after, edit, "shortcut", carried(before, after, state, rng))

    def _fits(self, graph: LayerGraph, node: Node) -> bool:
        return _is_relu(node) and has_room(graph, node, 1, self.max_layers)


@final
@dataclass(frozen=True, kw_only=True)
class LiteralDense(Mutation):
    """Insert y = concat(ReLU(BN(conv x)), x) with a convolution of zeros.

    Attributes:
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "eena-dense"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    alive: ClassVar[bool] = False
    source: ClassVar[str] = _SOURCE

    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place and a width."""
        edit = InsertDense(max_layers=self.max_layers).propose(genome, rng)
        return edit and replace(edit, operator="eena-dense")

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the layer and the concatenation in it."""
        return InsertDense().apply(genome, edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Start the new layer at zero."""
        dense = InsertDense().inherit(before, after, edit, state, rng)
        return _zeroed(after, edit, "dense", dense)


def _is_relu(node: Node) -> bool:
    return node.op == "act" and node.params["kind"] in IDEMPOTENT


def _steps(graph: LayerGraph, after: Node, edit: Edit, role: str) -> list[Node]:
    step = weighted(graph.shapes[after.id], edit.args.get("kernel", ()))
    return chain(edit, after, role, normed(graph, [step], edit.args["kind"]))


def _zeroed(after: Genome, edit: Edit, role: str, state: State) -> State:
    """Return the state with the weights of the edit's convolutions or linear layers at zero."""
    name, graph, _ = graph_of(after, edit.targets[0])
    tensors: Mapping[str, Tensor] = state.tensors
    for op in ("conv", "linear"):
        for node in made(graph, edit, role, op):
            key = f"{prefix(after, name)}{node.id}.weight"
            tensors = {**tensors, key: torch.zeros_like(tensors[key])}
    return replace(state, tensors=tensors)
