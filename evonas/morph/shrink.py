"""Remove a layer or a skip connection: the approximate way back from the insertions.

The shrinking operators of LEMONADE (Elsken et al., 2019, https://arxiv.org/abs/1804.09081). The
child does not compute what its parent did; training repairs it, after batch norm is estimated anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, final

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.carry import carried
from evonas.morph.insertion import WEIGHTED, graph_of, rewired
from evonas.morph.mutation import Mutation
from evonas.morph.naming import instances, site
from evonas.morph.widths import first_applicable
from evonas.seeds import Rng
from evonas.state import State


@final
@dataclass(frozen=True)
class RemoveLayer(Mutation):
    """Replace a layer that keeps its input's shape by the identity.

    A layer is a gate with its branch, a squeeze and excitation, or a weighted layer with the batch
    norm and the activation that it alone feeds.
    """

    operator: ClassVar[str] = "remove-layer"
    exact: ClassVar[bool] = False
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = "LEMONADE, https://arxiv.org/abs/1804.09081"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a layer that the graph can lose."""
        targets = _targets(genome, WEIGHTED | {"lerp", "se"})
        edits = [genome.edit("remove-layer", target) for target, _, _ in targets]
        order = rng.permutation(len(edits))
        return first_applicable(partial(self.apply, genome), (edits[number] for number in order))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome without the layer, in every mirrored block."""
        name, graph, where = graph_of(genome, edit.targets[0])
        for node_id in instances(graph, where):
            graph = _without_layer(graph, graph[node_id])
        graph.validate()
        return genome.with_graph(name, graph).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Drop what belonged to the layer; the rest stays."""
        del edit
        return carried(before, after, state, rng)


@final
@dataclass(frozen=True)
class RemoveSkip(Mutation):
    """Take one summand out of a sum, and every layer that fed nothing else."""

    operator: ClassVar[str] = "remove-skip"
    exact: ClassVar[bool] = False
    exact_in_training: ClassVar[bool] = False
    source: ClassVar[str] = "LEMONADE, https://arxiv.org/abs/1804.09081"

    def propose(self, genome: Genome, rng: Rng) -> Edit | None:
        """Draw a sum and one of its summands, so that more is left than a small scaled branch."""
        edits = [
            genome.edit("remove-skip", target, port=port)
            for target, ops in _sums(genome)
            for port in range(len(ops))
            if {*ops[:port], *ops[port + 1 :]} != {"scale"}
        ]
        order = rng.permutation(len(edits))
        return first_applicable(partial(self.apply, genome), (edits[number] for number in order))

    def apply(self, genome: Genome, edit: Edit) -> Genome:
        """Return the genome without the summand, in every mirrored block."""
        name, graph, where = graph_of(genome, edit.targets[0])
        for node_id in instances(graph, where):
            graph = _without_summand(graph, graph[node_id], edit.args["port"])
        graph.validate()
        return genome.with_graph(name, graph).with_edit(edit)

    def inherit(self, before: Genome, after: Genome, edit: Edit, state: State, rng: Rng) -> State:
        """Drop what belonged to the summand alone; the rest stays."""
        del edit
        return carried(before, after, state, rng)


def _targets(genome: Genome, ops: frozenset[str]) -> list[tuple[str, LayerGraph, Node]]:
    """Return the edit targets that are one of these operations, each with one of its layers."""
    found = {
        f"{name}/{site(graph, node)}": (graph, node)
        for name, graph in genome.architecture.items()
        for node in graph.nodes
        if node.op in ops and not node.frozen
    }
    return [(target, *where) for target, where in found.items()]


def _sums(genome: Genome) -> list[tuple[str, list[str]]]:
    """Return the edit targets that are sums, each with the operations of its summands."""
    return [
        (target, [graph[source].op for source in node.inputs])
        for target, graph, node in _targets(genome, frozenset({"add"}))
    ]


def _without_layer(graph: LayerGraph, node: Node) -> LayerGraph:
    """Return the graph in which the layer's readers read its input."""
    if node.op in {"lerp", "se"}:
        return _bypassed(graph, node, node.inputs[0])
    if node.op not in WEIGHTED:
        raise EditError(f"layer {node.id!r} ({node.op}) is no layer that can be removed alone")
    last = node
    for op in ("bn", "act"):
        readers = graph.consumers[last.id]
        if len(readers) == 1 and graph[readers[0]].op == op:
            last = graph[readers[0]]
    if graph.shapes[last.id] != graph.shapes[node.inputs[0]]:
        raise EditError(f"layer {node.id!r} changes the shape of its input and must stay")
    if any(graph[reader].op in {"lerp", "scale"} for reader in graph.consumers[last.id]):
        raise EditError(f"layer {node.id!r} ends a gated branch: remove the gate or the skip")
    return _bypassed(graph, last, node.inputs[0])


def _without_summand(graph: LayerGraph, node: Node, port: int) -> LayerGraph:
    """Return the graph in which a sum has one input less, or is gone if one is left."""
    if node.op != "add" or port >= len(node.inputs):
        raise EditError(f"layer {node.id!r} ({node.op}) is no sum with a summand {port}")
    left = (*node.inputs[:port], *node.inputs[port + 1 :])
    if len(left) == 1:
        return _bypassed(graph, node, left[0])
    return _live(graph, [replace(node, inputs=left)])


def _bypassed(graph: LayerGraph, node: Node, source: str) -> LayerGraph:
    """Return the graph in which all who read `node` read `source`."""
    readers = [graph[reader] for reader in graph.consumers[node.id]]
    return _live(graph, rewired(readers, node.id, source))


def _live(graph: LayerGraph, changed: Iterable[Node]) -> LayerGraph:
    """Return the graph with the changed layers and without those that then reach no output."""
    graph = graph.with_nodes(changed)
    alive = graph.ancestors(graph.output.id) | {graph.output.id}
    dead = [node for node in graph.nodes if node.id not in alive]
    if kept := [node.id for node in dead if node.frozen or node.op == "input"]:
        raise EditError(f"layer {kept[0]!r} must stay, and this edit would cut it off")
    return graph.with_nodes(removed=[node.id for node in dead])
