"""Split a layer into two parallel ones whose outputs are put behind one another.

From EENA (Efficient Evolution of Neural Architecture, Zhu et al., 2019,
https://arxiv.org/abs/1905.07320), section 3.1. The convolution and the batch norm and activation
behind it are split in the middle of its channels; no parameter is new. The left half keeps the
layers' names, so edits of the whole layer go on as edits of its left half.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from torch import Tensor

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.mutation import Mutation
from evonas.morph.naming import instances, made_by, prefix, site, split_target
from evonas.morph.spread import Change, Spread
from evonas.morph.transfer import AXES, Growth, transferred
from evonas.morph.widths import first_applicable, graph_of
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True, kw_only=True)
class Branch(Mutation):
    """Split convolution, batch norm and activation into a left and a right half."""

    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "EENA, Zhu et al. 2019, arXiv 1905.07320"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a convolution."""
        found = {
            f"{name}/{site(graph, node)}": None
            for name, graph in genome.architecture.items()
            for node in graph.nodes
            if node.op == "conv"
        }
        order = [list(found)[number] for number in rng.permutation(len(found))]
        return first_applicable(self, genome, (genome.edit("branch", target) for target in order))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the layer split."""
        name, layer = split_target(edit.targets[0])
        before = graph = graph_of(genome, name)
        for conv in instances(before, layer):
            graph = _split(graph, _chain(before, conv), edit)
        graph.validate()
        return genome.with_graph(name, graph).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Give each half its rows of the old tensors."""
        name, layer = split_target(edit.targets[0])
        graph, start = before.architecture[name], prefix(before, name)
        for conv in instances(graph, layer):
            width = graph.shapes[conv][0]
            chain = _chain(graph, conv)
            right = _renamed(state, chain, start, edit)
            halves = np.split(np.arange(width), [width // 2])
            state = transferred(
                state, graph, start, _kept(graph, chain, halves[0]), Growth(rng=rng)
            )
            right = transferred(
                right, graph, start, _kept(graph, chain, halves[1]), Growth(rng=rng)
            )
            state = _with_right(state, right, chain, start, edit)
        return state
