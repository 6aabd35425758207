"""A flat encoding of layer graphs: a width for every layer of the seed, and slots for insertions.

Samplers of fixed vectors (Optuna's, random search) want the same knobs for every candidate, and
search trees have none. A vector is decoded as edits of the seed: first the layers are widened, then
the slots of each block are filled one behind the other, at the block's end.
"""

from collections.abc import Mapping
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
_INSERTIONS = ("insert-layer", "insert-shortcut", "insert-separable", "add-se")
_GRAPH = "net"


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
        """Return the knobs by name; the same for every candidate."""
        graph = seed.architecture[_GRAPH]
        knobs: dict[str, BaseDistribution] = {}
        if "widen" in self.mutations:
            knobs |= {
                f"{block}.width": CategoricalDistribution(_WIDTHS) for block in _blocks(graph)
            }
        operators = [name for name in _INSERTIONS if name in self.mutations]
        for name in self._slots(graph) if operators else ():
            knobs[name] = CategoricalDistribution((_NONE, *operators))
            if any(node.op == "conv" for node in graph.nodes):
                knobs[f"{name}.kernel"] = CategoricalDistribution(_KERNELS)
        return knobs

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Return the seed with the edits that the values describe, as far as they apply to it."""
        genome = seed
        for block, maker in _blocks(seed.architecture[_GRAPH]).items():
            genome = self._widened(genome, maker, values.get(f"{block}.width", 1.0))
        for name in self._slots(seed.architecture[_GRAPH]):
            operator = values.get(name, _NONE)
            if operator != _NONE:
                size = values.get(f"{name}.kernel", 1)
                genome = self._filled(genome, name.partition(".")[0], operator, size)
        return genome

    def _slots(self, graph: LayerGraph) -> list[str]:
        numbers = range(1, self.count + 1)
        return [f"{block}.slot{number}" for block in _blocks(graph) for number in numbers]

    def _widened(self, genome: Genome, maker: str, ratio: float) -> Genome:
        width = genome.architecture[_GRAPH].shapes[maker][0]
        target = min(round(width * ratio), self.max_width)
        added = 2 * ((target - width) // 2)
        if added < 2:
            return genome
        where = site(genome.architecture[_GRAPH], genome.architecture[_GRAPH][maker])
        edit = genome.edit("widen", f"{_GRAPH}/{where}", part=0, channels=added)
        return _applied(self.mutations["widen"], genome, edit)

    def _filled(self, genome: Genome, block: str, operator: str, size: int) -> Genome:
        graph = genome.architecture[_GRAPH]
        end = _end(graph, block)
        shape = graph.shapes[end.id]
        if operator == "add-se":
            args: dict[str, Any] = {"squeeze": max(2, shape[0] // 4)}
        else:
            args = {"kind": _activation(graph), **({"kernel": [size, size]} if len(shape) == 3 else {})}
        edit = genome.edit(operator, f"{_GRAPH}/{site(graph, end)}", **args)
        return _applied(self.mutations[operator], genome, edit)


def _blocks(graph: LayerGraph) -> Mapping[str, str]:
    """Return the first layer with a width of its own in each block; mirrored blocks are one."""
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.op in {"conv", "linear"} and not node.frozen:
            block = graph.mirrors[0] if node.block in graph.mirrors else node.block
            found.setdefault(block, node.id)
    return found


def _end(graph: LayerGraph, block: str) -> Node:
    """Return the layer by which a block is left: the last one, for all others lead to it."""
    return [node for node in graph.nodes if node.block == block][-1]


def _activation(graph: LayerGraph) -> str:
    return next((node.params["kind"] for node in graph.nodes if node.op == "act"), "relu")


def _applied(mutation: Mutation, genome: Genome, edit: Edit) -> Genome:
    try:
        return mutation.apply(genome, edit)
    except EditError:
        return genome
