"""Insert a layer with a dense connection: y = concat(F(x), x), read with columns of zeros for F.

EENA (Efficient Evolution of Neural Architecture, Zhu et al., 2019,
https://arxiv.org/abs/1905.07320) puts the new channels first, and so do we, but sets the new
layer to zero, which in this order of layers (convolution, batch norm, ReLU) never gets a gradient.
Here the layer starts from He's initialisation and every layer that reads it has zero columns for
it: the columns move at the first step, the layer at the second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, final

from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.carry import carried
from evonas.morph.insertion import (
    chain,
    graph_of,
    has_room,
    inserted,
    normed,
    places,
    weighted,
)
from evonas.morph.mutation import Mutation
from evonas.morph.naming import instances, made_by, prefix
from evonas.morph.spread import Change, changes
from evonas.morph.transfer import Growth, transferred
from evonas.morph.widths import first_applicable
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class InsertDense(Mutation):
    """Insert a layer whose output is put in front of its input, for all who read that.

    Attributes:
        kernels: Sizes of square kernels to choose from.
        ratios: The new channels, relative to the input's, are one of these.
        max_layers: Weighted layers that a graph may have.
    """

    operator: ClassVar[str] = "insert-dense"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "EENA, Zhu et al. 2019, arXiv 1905.07320, with zero columns"

    kernels: tuple[int, ...] = (3,)
    ratios: tuple[float, ...] = (0.25, 0.5)
    max_layers: int = 64

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a place, a width and a kernel."""
        targets = places(genome, self._fits)
        drawn = (targets[number] for number in rng.permutation(len(targets)))
        edits = (self._drawn(genome, target, rng) for target in drawn)
        return first_applicable(partial(_read_wider, genome), edits)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the new layer, in every mirrored block."""
        _read_wider(genome, edit)
        channels: int = edit.args["channels"]

        def joined(graph: LayerGraph, after: Node) -> list[Node]:
            op, params = weighted(graph.shapes[after.id], edit.args.get("kernel", ()))
            step = (op, {**params, "out": channels})
            made = chain(edit, after, "dense", normed(graph, [step], edit.args["kind"]))
            join = made_by(edit.id, "dense", "concat", after.block)
            return [*made, Node(join, "concat", (made[-1].id, after.id))]

        return inserted(genome, edit, joined)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Put columns of zeros into the readers; draw the new layer's weights."""
        name, graph, _ = graph_of(before, edit.targets[0])
        moved = _read_wider(before, edit)
        wider = transferred(state, graph, prefix(before, name), moved, Growth(rng=rng))
        return carried(before, after, wider, rng)

    def _fits(self, graph: LayerGraph, node: Node) -> bool:
        return has_room(graph, node, 1, self.max_layers)

    def _drawn(self, genome: Genome, target: str, rng: Rng) -> Edit:
        _, graph, layer = graph_of(genome, target)
        node = graph[instances(graph, layer)[0]]
        shape = graph.shapes[node.id]
        acts = (other.params["kind"] for other in graph.nodes if other.op == "act")
        kind = node.params.get("kind", next(acts, "relu"))
        channels = max(1, round(shape[0] * float(rng.choice(self.ratios))))
        if len(shape) == 1:
            return genome.edit("insert-dense", target, kind=kind, channels=channels)
        size = int(rng.choice([k for k in self.kernels if k // 2 < min(shape[1:])] or [1]))
        kernel = [size, size]
        return genome.edit("insert-dense", target, kind=kind, channels=channels, kernel=kernel)


def _read_wider(genome: Genome, edit: Edit) -> Mapping[str, Change]:
    """Return what becomes of all who read the place, where new channels come in front.

    Raises:
        EditError: if one of them cannot read more.
    """
    _, graph, layer = graph_of(genome, edit.targets[0])
    channels: int = edit.args["channels"]
    return changes(graph, {}, dict.fromkeys(instances(graph, layer), channels))
