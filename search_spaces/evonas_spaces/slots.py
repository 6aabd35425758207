"""A flat encoding of layer graphs: a width for every block of the seed, and slots for insertions.

Samplers of fixed vectors (Optuna's, random search) want the same knobs for every candidate, and
search trees have none. A vector is decoded as edits of the seed: first the blocks are widened, then
the slots of each block are filled one behind the other, at the block's end. Mirrored blocks share
the knobs of the first of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from optuna.distributions import BaseDistribution, CategoricalDistribution

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.mutation import Mutation
from evonas.morph.naming import site

_NONE = "none"
_WIDTHS = (1.0, 1.5, 2.0, 3.0, 4.0)
_KERNELS = (1, 3, 5)
_INSERTIONS = {
    "linear": ("insert-layer", "insert-shortcut"),
    "conv": ("insert-layer", "insert-shortcut", "insert-separable", "add-se"),
}


@final
@dataclass(frozen=True)
class Slots:
    """The encoding for one space.

    Attributes:
        mutations: The space's; those that the encoding does not know are not used.
        count: Slots in every block.
        max_width: Channels that widening may lead to.
    """

    mutations: Mapping[str, Mutation]
    count: int
    max_width: int

    def knobs(self, seed: Genome) -> Mapping[str, BaseDistribution]:
        """Return the knobs by name: `net/block1.width`, `net/block1.slot1`, ..."""
        knobs: dict[str, BaseDistribution] = {}
        for block, maker in _blocks(seed):
            operators = [name for name in _INSERTIONS[maker.op] if name in self.mutations]
            if "widen" in self.mutations:
                knobs[f"{block}.width"] = CategoricalDistribution(_WIDTHS)
            for slot in self._slots(block) if operators else ():
                knobs[slot] = CategoricalDistribution((_NONE, *operators))
                if maker.op == "conv":
                    knobs[f"{slot}.kernel"] = CategoricalDistribution(_KERNELS)
        return knobs

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Return the seed with the edits that the values describe, as far as they apply to it."""
        genome = seed
        for block, maker in _blocks(seed):
            genome = self._widened(genome, block, maker, values.get(f"{block}.width", 1.0))
        for block, _ in _blocks(seed):
            for slot in self._slots(block):
                operator = values.get(slot, _NONE)
                if operator != _NONE:
                    size = values.get(f"{slot}.kernel", 1)
                    genome = self._filled(genome, block, operator, size)
        return genome

    def _slots(self, block: str) -> list[str]:
        return [f"{block}.slot{number}" for number in range(1, self.count + 1)]

    def _widened(self, genome: Genome, block: str, maker: Node, ratio: float) -> Genome:
        name, graph = _graph(genome, block)
        width = graph.shapes[maker.id][0]
        added = 2 * ((min(round(width * ratio), self.max_width) - width) // 2)
        if added < 2:
            return genome
        edit = genome.edit("widen", f"{name}/{site(graph, maker)}", part=0, channels=added)
        return self._applied(genome, edit)

    def _filled(self, genome: Genome, block: str, operator: str, size: int) -> Genome:
        name, graph = _graph(genome, block)
        # all layers of a block lead to its last one
        end = [node for node in graph.nodes if f"{name}/{node.block}" == block][-1]
        shape = graph.shapes[end.id]
        kinds = (node.params["kind"] for node in graph.nodes if node.op == "act")
        args: dict[str, Any] = {"kind": next(kinds, "relu")}
        if len(shape) == 3:
            args["kernel"] = [size, size]
        if operator == "add-se":
            args = {"squeeze": max(2, shape[0] // 4)}
        return self._applied(genome, genome.edit(operator, f"{name}/{site(graph, end)}", **args))

    def _applied(self, genome: Genome, edit: Edit) -> Genome:
        try:
            return self.mutations[edit.operator].apply(genome, edit)
        except EditError:
            return genome


def _blocks(seed: Genome) -> Iterator[tuple[str, Node]]:
    """Yield the blocks with a width of their own, as `graph/block`, and what makes it."""
    for name, graph in seed.architecture.items():
        found: dict[str, Node] = {}
        for node in graph.nodes:
            if node.op in {"conv", "linear"} and not node.frozen:
                block = graph.mirrors[0] if node.block in graph.mirrors else node.block
                found.setdefault(f"{name}/{block}", node)
        yield from found.items()


def _graph(genome: Genome, block: str) -> tuple[str, LayerGraph]:
    name = block.partition("/")[0]
    return name, genome.architecture[name]
