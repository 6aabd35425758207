"""Insert a layer with a shortcut around it: y = x + s * act(bn(conv x)) with s = 0 per channel.

EENA (Zhu et al., 2019, https://arxiv.org/abs/1905.07320) sets the convolution to zero instead.
Measured: in this order of layers that branch gets no gradient, for ever. The zero scale (ReZero,
Bachlechner et al., 2020, https://arxiv.org/abs/2003.04887, per channel) moves at the first step
and the branch at the second.
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
)
from evonas.morph.mutation import Mutation
from evonas.morph.naming import made_by
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class InsertShortcut(Mutation):
    """Insert a residual layer whose branch is scaled by zero at first.

    Attributes:
        kernels: Sizes of square kernels to choose from.
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "insert-shortcut"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "EENA, https://arxiv.org/abs/1905.07320, with ReZero's scale"

    kernels: tuple[int, ...] = (3,)
    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place, a kernel and an activation."""
        return proposed(genome, rng, "insert-shortcut", self.kernels, self._fits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the residual layer in it, in every mirrored block."""

        def residual(graph: LayerGraph, after: Node) -> list[Node]:
            step = weighted(graph.shapes[after.id], edit.args.get("kernel", ()))
            steps = [*normed(graph, [step], edit.args["kind"]), ("scale", {})]
            branch = chain(edit, after, "shortcut", steps)
            total = made_by(edit.id, "shortcut", "add", after.block)
            return [*branch, Node(total, "add", (after.id, branch[-1].id))]

        return inserted(genome, edit, residual)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Draw the new layer's weights; its scale is zero."""
        del edit
        return carried(before, after, state, rng)

    def _fits(self, graph: LayerGraph, node: Node) -> bool:
        return has_room(graph, node, 1, self.max_layers)
