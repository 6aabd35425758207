"""Add squeeze and excitation: weigh the channels by what the whole picture shows.

Squeeze-and-Excitation Networks, Hu, Shen and Sun, 2018, https://arxiv.org/abs/1709.01507. The
sigmoid is doubled and its last layer starts at zero, so that every channel weighs 2 * 0.5 = 1.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.carry import carried
from evonas.morph.insertion import chain, drawn, first, inserted, places
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class AddSqueezeExcite(Mutation):
    """Weigh the channels of a picture, once at most at every place.

    Attributes:
        reduction: How many channels share one hidden unit; the paper has 16, on wider layers.
    """

    operator: ClassVar[str] = "add-se"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "Squeeze-and-Excitation, https://arxiv.org/abs/1709.01507"

    reduction: int = 4

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place; the hidden width follows from the channels there."""
        target = drawn(places(genome, _fits), rng)
        if target is None:
            return None
        graph, node = first(genome, target)
        squeeze = max(2, graph.shapes[node.id][0] // self.reduction)
        return genome.edit("add-se", target, squeeze=squeeze)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the excitation in it, in every mirrored block."""

        def excited(graph: LayerGraph, after: Node) -> list[Node]:
            del graph
            return chain(edit, after, "excite", [("se", {"squeeze": edit.args["squeeze"]})])

        return inserted(genome, edit, excited)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Draw the first layer's weights; the second is zero."""
        del edit
        return carried(before, after, state, rng)


def _fits(graph: LayerGraph, node: Node) -> bool:
    readers = (graph[reader].op for reader in graph.consumers[node.id])
    return len(graph.shapes[node.id]) == 3 and "se" not in readers
