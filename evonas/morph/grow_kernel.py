"""Grow a kernel by a rim of zeros on one axis or both, and the padding with it.

The zero-padded kernel of Network Morphism (Wei et al., 2016, https://arxiv.org/abs/1603.01670).
With padding grown by the dilation every old weight meets the pixel it met before, whatever the
stride; even kernels are refused because they have no centre to grow around.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

from torch import Tensor
from torch.nn import functional as F

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.insertion import drawn, graph_of
from evonas.morph.mutation import Mutation
from evonas.morph.naming import instances, prefix, site
from evonas.seeds import Rng
from evonas.state import State

_AXES = ([1, 1], [1, 0], [0, 1])
_KERNELED = frozenset({"conv", "depthwise"})


@final
@dataclass(frozen=True, kw_only=True)
class GrowKernel(Mutation):
    """Grow the kernel of a convolution from k to k + 2, on both axes or on one.

    Attributes:
        max_kernel: The largest kernel size on an axis.
    """

    operator: ClassVar[str] = "grow-kernel"
    exact: ClassVar[bool] = True
    exact_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "Network Morphism, https://arxiv.org/abs/1603.01670"

    max_kernel: int = 7

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a layer and the axes on which its kernel grows."""
        options: dict[tuple[str, int], None] = {}
        for name, graph in genome.architecture.items():
            for where in dict.fromkeys(site(graph, n) for n in graph.nodes if n.op in _KERNELED):
                twins = [graph[twin] for twin in instances(graph, where)]
                for choice, axes in enumerate(_AXES):
                    if all(self._fits(graph, twin, axes) for twin in twins):
                        options[f"{name}/{where}", choice] = None
        found = drawn(list(options), rng)
        return found and genome.edit("grow-kernel", found[0], axes=list(_AXES[found[1]]))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome with the larger kernel, in every mirrored block."""
        name, graph, where = graph_of(genome, edit.targets[0])
        grown = [_grown(graph[node_id], edit.args["axes"]) for node_id in instances(graph, where)]
        graph = graph.with_nodes(grown)
        graph.validate()
        return genome.with_graph(name, graph).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Put zeros around the weights and their optimizer slots."""
        del before, rng
        name, graph, where = graph_of(after, edit.targets[0])
        start = prefix(after, name)
        grown = {f"{start}{node_id}.weight" for node_id in instances(graph, where)}
        slots = {slot: _rimmed(values, grown, edit) for slot, values in state.slots.items()}
        return State(_rimmed(state.tensors, grown, edit), slots)

    def _fits(self, graph: LayerGraph, node: Node, axes: list[int]) -> bool:
        """Whether the layer can grow on these axes and its new weights would see the picture."""
        if not _can_grow(node, axes):
            return False
        size = graph.shapes[node.inputs[0]][1:]
        reach = zip(axes, node.params["kernel"], node.params["dilation"], size, strict=True)
        return all(
            not grows or (kernel + 2 <= self.max_kernel and (kernel // 2 + 1) * dilation < extent)
            for grows, kernel, dilation, extent in reach
        )


def _can_grow(node: Node, axes: list[int]) -> bool:
    if node.frozen or node.op not in _KERNELED:
        return False
    return all(
        not grows or k % 2 == 1 for grows, k in zip(axes, node.params["kernel"], strict=True)
    )


def _grown(node: Node, axes: list[int]) -> Node:
    """Return the layer with its kernel and padding grown on the axes that are 1."""
    if not _can_grow(node, axes):
        raise EditError(
            f"layer {node.id!r} ({node.op}) has no kernel that can grow: it takes a convolution"
            " that is not frozen and has an odd kernel"
        )
    params = node.params
    kernel = [size + 2 * grows for size, grows in zip(params["kernel"], axes, strict=True)]
    rims = zip(params["padding"], params["dilation"], axes, strict=True)
    padding = [padding + dilation * grows for padding, dilation, grows in rims]
    return replace(node, params={**params, "kernel": kernel, "padding": padding})


def _rimmed(tensors: Mapping[str, Tensor], grown: set[str], edit: Edit) -> dict[str, Tensor]:
    """Return the tensors with a rim of zeros around the kernels that grew."""
    rows, columns = edit.args["axes"]
    rim = (columns, columns, rows, rows)
    return {
        key: F.pad(tensor, rim) if key in grown and tensor.ndim == 4 else tensor
        for key, tensor in tensors.items()
    }
