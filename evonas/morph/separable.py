"""Insert a depthwise separable layer behind a gate: a filter a channel, then a 1x1 convolution.

The layer is MobileNet's (Howard et al., 2017, https://arxiv.org/abs/1704.04861) without the batch
norm and activation between its halves; the gate is that of `insert-layer`.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.carry import carried
from evonas.morph.insertion import (
    chain,
    has_room,
    inserted,
    normed,
    proposed,
    weighted,
    window,
)
from evonas.morph.mutation import Mutation
from evonas.morph.naming import made_by
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class InsertSeparable(Mutation):
    """Insert a depthwise and a pointwise convolution behind a closed gate; on pictures only.

    Attributes:
        kernels: Sizes of square depthwise kernels to choose from.
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "insert-separable"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "MobileNets, https://arxiv.org/abs/1704.04861, behind a gate"

    kernels: tuple[int, ...] = (3, 5)
    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place, a kernel and an activation."""
        return proposed(genome, rng, "insert-separable", self.kernels, self._fits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the gated layers in it, in every mirrored block."""

        def gated(graph: LayerGraph, after: Node) -> list[Node]:
            depthwise = ("depthwise", {**window(edit.args["kernel"]), "bias": False})
            steps = [depthwise, weighted(graph.shapes[after.id], (1, 1))]
            branch = chain(edit, after, "separable", normed(graph, steps, edit.args["kind"]))
            gate = made_by(edit.id, "separable", "lerp", after.block)
            return [*branch, Node(gate, "lerp", (after.id, branch[-1].id))]

        return inserted(genome, edit, gated)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Draw the new layers' weights; their gate is zero."""
        del edit
        return carried(before, after, state, rng)

    def _fits(self, graph: LayerGraph, node: Node) -> bool:
        is_picture = len(graph.shapes[node.id]) == 3
        return is_picture and has_room(graph, node, 2, self.max_layers)
