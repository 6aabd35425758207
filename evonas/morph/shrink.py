"""Remove a layer or a skip connection: the approximate way back from the insertions.

The shrinking operators of LEMONADE (Elsken et al., 2019, https://arxiv.org/abs/1804.09081). The
child does not compute what its parent did; training repairs it, after batch norm is estimated anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.carry import carried
from evonas.morph.insertion import WEIGHTED, drawn, graph_of, rewired
from evonas.morph.mutation import Mutation
from evonas.morph.naming import instances, site
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True)
class RemoveLayer(Mutation):
    """Replace a layer that keeps its input's shape by the identity.

    A layer is a gate with its branch, a squeeze and excitation, or a weighted layer with the batch
    norm and the activation that only it feeds.
    """

    exact: ClassVar[bool] = False
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = "LEMONADE, https://arxiv.org/abs/1804.09081"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        targets = _targets(genome, WEIGHTED | {"lerp", "se"})
        options = [target for target in targets if self._applies(genome, target)]
        target = drawn(options, rng)
        return target and genome.edit("remove-layer", target)

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        name, graph, where = graph_of(genome, edit.targets[0])
        for node_id in instances(graph, where):
            graph = _without_layer(graph, graph[node_id])
        graph.validate()
        return genome.with_graph(name, graph).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        del edit
        return carried(before, after, state, rng)

    def _applies(self, genome: Genome, target: str) -> bool:
        try:
            self.apply(genome, genome.edit("remove-layer", target))
        except EditError:
            return False
        return True
