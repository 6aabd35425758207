"""Add a skip connection from an earlier tensor: y = x + s * conv1x1(earlier) with s = 0.

The added connections of LEMONADE (Elsken et al., 2019, https://arxiv.org/abs/1804.09081) as sums
with a zero scale per channel; the 1x1 convolution (linear on vectors) fits the channels.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.carry import carried
from evonas.morph.insertion import (
    chain,
    drawn,
    first,
    graph_of,
    has_room,
    inserted,
    places,
    weighted,
)
from evonas.morph.mutation import Mutation
from evonas.morph.naming import instances, made_by
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class AddSkip(Mutation):
    """Connect an earlier tensor of the same size to a later one; in mirrored blocks, in each.

    Attributes:
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "add-skip"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "LEMONADE, https://arxiv.org/abs/1804.09081, with a zero scale"

    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a later place that some earlier one can lead to, and then that one."""
        options = places(genome, self._fits)
        for choice in rng.permutation(len(options)):
            late = options[choice]
            early = drawn([other for other in options if _joins(genome, late, other)], rng)
            if early is not None:
                return genome.edit("add-skip", late, early)
        return None

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the connection in it, in every mirrored block."""
        late, early = edit.targets
        if not _joins(genome, late, early):
            raise EditError(f"no skip connection can lead from {early!r} to {late!r}")
        sources = _pairs(genome, late, early)

        def skipped(graph: LayerGraph, after: Node) -> list[Node]:
            fit = weighted(graph.shapes[after.id], (1, 1))
            branch = chain(edit, graph[sources[after.id]], "skip", [fit, ("scale", {})])
            total = made_by(edit.id, "skip", "add", after.block)
            return [*branch, Node(total, "add", (after.id, branch[-1].id))]

        return inserted(genome, edit, skipped)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Draw the new layer's weights; its scale is zero."""
        del edit
        return carried(before, after, state, rng)

    def _fits(self, graph: LayerGraph, node: Node) -> bool:
        return has_room(graph, node, 1, self.max_layers)


def _pairs(genome: Genome, late: str, early: str) -> dict[str, str]:
    """Return the earlier layer for each of the later ones, block by block where they mirror."""
    _, graph, late_site = graph_of(genome, late)
    _, _, early_site = graph_of(genome, early)
    return dict(zip(instances(graph, late_site), instances(graph, early_site), strict=True))


def _joins(genome: Genome, late: str, early: str) -> bool:
    """Whether a skip connection may lead from `early` to `late`, in every mirrored block."""
    graph, after = first(genome, late)
    _, before = first(genome, early)
    same_graph = late.partition("/")[0] == early.partition("/")[0]
    if not same_graph or (after.block in graph.mirrors) != (before.block in graph.mirrors):
        return False
    return all(
        graph.shapes[source][1:] == graph.shapes[target][1:] and source in graph.ancestors(target)
        for target, source in _pairs(genome, late, early).items()
    )
