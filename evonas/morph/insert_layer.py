"""Insert a layer: behind a gate, or as an identity convolution.

Net2DeeperNet (Net2Net, Chen et al., 2016, https://arxiv.org/abs/1511.05641) inserts an identity
convolution after an idempotent activation; `insert-identity` is that, without batch norm. Batch
norm set to the identity is exact in evaluation mode only and is off by percents in training, so
`insert-layer` has a gate instead: y = x + s * (act(bn(conv x)) - x) with s = 0 per channel (the
convex combination of LEMONADE, Elsken et al., 2019, https://arxiv.org/abs/1804.09081, per channel
and learnt). It takes any activation, and its layer starts from He's initialisation: the gate
moves at the first step, the layer at the second.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.genome.shapes import IDEMPOTENT
from evonas.morph.carry import carried
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


@final
@dataclass(frozen=True, kw_only=True)
class InsertLayer(Mutation):
    """Insert convolution (linear on vectors), batch norm and activation behind a closed gate.

    Attributes:
        kernels: Sizes of square kernels to choose from.
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "insert-layer"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "LEMONADE, https://arxiv.org/abs/1804.09081, with a learnt gate"

    kernels: tuple[int, ...] = (1, 3)
    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place, a kernel and an activation."""
        return proposed(genome, rng, "insert-layer", self.kernels, self._fits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the gated layer in it, in every mirrored block."""

        def gated(graph: LayerGraph, after: Node) -> list[Node]:
            step = weighted(graph.shapes[after.id], edit.args.get("kernel", ()))
            branch = chain(edit, after, "layer", normed(graph, [step], edit.args["kind"]))
            gate = made_by(edit.id, "gate", "lerp", after.block)
            return [*branch, Node(gate, "lerp", (after.id, branch[-1].id))]

        return inserted(genome, edit, gated)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Draw the new layer's weights; its gate is zero."""
        del edit
        return carried(before, after, state, rng)

    def _fits(self, graph: LayerGraph, node: Node) -> bool:
        return has_room(graph, node, 1, self.max_layers)


@final
@dataclass(frozen=True, kw_only=True)
class InsertIdentity(Mutation):
    """Insert a convolution (linear on vectors) that passes its input on, and the activation again.

    Attributes:
        kernels: Sizes of square kernels to choose from.
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "insert-identity"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "Net2Net, https://arxiv.org/abs/1511.05641"

    kernels: tuple[int, ...] = (3,)
    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place after an idempotent activation, and a kernel."""
        return proposed(genome, rng, "insert-identity", self.kernels, self._fits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the layer in it, in every mirrored block."""

        def identity(graph: LayerGraph, after: Node) -> list[Node]:
            if not _repeats(after) or after.params["kind"] != edit.args["kind"]:
                raise EditError(f"layer {after.id!r} ({after.op}) is no idempotent activation")
            step = weighted(graph.shapes[after.id], edit.args.get("kernel", ()))
            return chain(edit, after, "identity", [step, ("act", {"kind": edit.args["kind"]})])

        return inserted(genome, edit, identity)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Make the new layer pass its input on."""
        carry = carried(before, after, state, rng)
        return with_identities(after, edit, "identity", carry)

    def _fits(self, graph: LayerGraph, node: Node) -> bool:
        return _repeats(node) and has_room(graph, node, 1, self.max_layers)


def _repeats(node: Node) -> bool:
    """Whether applying this layer once more changes nothing."""
    return node.op == "act" and node.params["kind"] in IDEMPOTENT


def with_identities(after: Genome, edit: Edit, role: str, state: State) -> State:
    """Return the state with the convolutions that the edit made in this role as identities."""
    name, graph, _ = graph_of(after, edit.targets[0])
    tensors = dict(state.tensors)
    for op in ("conv", "linear"):
        for node in made(graph, edit, role, op):
            key = f"{prefix(after, name)}{node.id}.weight"
            tensors[key] = dirac(tensors[key])
    return State(tensors, state.slots)


def dirac(weight: torch.Tensor) -> torch.Tensor:
    """Return the weight of this shape that passes every channel on unchanged."""
    identity = torch.zeros_like(weight)
    if weight.ndim == 2:
        return identity.fill_diagonal_(1.0)
    return torch.nn.init.dirac_(identity)
