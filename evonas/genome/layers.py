"""The layer graph: one network as an immutable DAG of named layers.

A node names its inputs in port order, so the same tensor may enter twice and concatenation keeps
its order. Widths live only where a layer makes fresh channels (`conv`, `linear`); all other shapes
follow. Editing returns a new graph that shares every untouched node.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, final

import networkx as nx

from evonas import rows
from evonas.errors import EditError, StoreError
from evonas.genome import canonical
from evonas.genome.params import check_name, check_params
from evonas.genome.shapes import Shape, output_shape
from evonas.genome.shared import Shared

MAX_LAYERS = 2**16
COMMUTATIVE = frozenset({"add"})


@final
@dataclass(frozen=True)
class Node:
    """One layer.

    Attributes:
        id: Unique in its graph; `block.local` where the node belongs to a block. A node made by
            an edit is named after the edit, so the same innovation has the same name everywhere.
        op: One of `evonas.genome.shapes.OPS`.
        inputs: Ids of the nodes it reads, in port order.
        params: JSON-native settings of the operation, documented in `evonas.genome.shapes`.
        frozen: Whether mutations must leave this layer as it is.
    """

    id: str
    op: str
    inputs: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    frozen: bool = False

    @cached_property
    def block(self) -> str:
        """The block the node belongs to, or the empty string."""
        return self.id.rpartition(".")[0]

    @cached_property
    def local(self) -> str:
        """The node's name inside its block."""
        return self.id.rpartition(".")[2]

    @cached_property
    def label(self) -> str:
        """What the layer is, whatever its name and its inputs, as text."""
        return canonical.text([self.op, self.params, self.frozen])

    def to_json(self) -> list[Any]:
        """Return the node as a JSON list."""
        row: list[Any] = [self.id, self.op, list(self.inputs), dict(self.params)]
        return [*row, True] if self.frozen else row

    @classmethod
    def from_json(cls, row: list[Any]) -> "Node":
        """Read what `to_json` wrote.

        Raises:
            StoreError: if it cannot have written this.
        """
        if len(rows.rows(row, "a layer")) not in {4, 5} or row[4:] not in ([], [True]):
            raise StoreError("a layer is a list of id, operation, inputs and parameters")
        params = rows.mapping(row[3], "params")
        check_params(rows.name(row[1], "op"), params)
        return cls(
            rows.name(row[0], "id"), row[1], rows.names(row[2], "inputs"), params, bool(row[4:])
        )


@final
@dataclass(frozen=True)
class LayerGraph:
    """A DAG of layers in topological order, with one or more `input` nodes and one `output`.

    Attributes:
        nodes: The layers; a node stands after everything it reads.
        mirrors: Blocks that share one blueprint: an edit in one is made in all of them, each with
            weights of its own (EENA stacks one block three times).
    """

    nodes: tuple[Node, ...]
    mirrors: tuple[str, ...] = ()

    def __contains__(self, node_id: str) -> bool:
        return node_id in self.by_id

    def __getitem__(self, node_id: str) -> Node:
        try:
            return self.by_id[node_id]
        except KeyError:
            raise EditError(f"the graph has no layer {node_id!r}") from None

    @cached_property
    def by_id(self) -> Mapping[str, Node]:
        """Every node by its id."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def num_of(self) -> Mapping[str, int]:
        """How many layers there are of every operation, by its name; 0 for one that is not used."""
        return Counter(node.op for node in self.nodes)

    @cached_property
    def consumers(self) -> Mapping[str, tuple[str, ...]]:
        """For every node the ids of the nodes that read it, in graph order, without repeats."""
        found: dict[str, dict[str, None]] = {node.id: {} for node in self.nodes}
        for node in self.nodes:
            for source in node.inputs:
                found[source][node.id] = None
        return {node_id: tuple(readers) for node_id, readers in found.items()}

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Every node's output shape without the batch: (channels, height, width) or (features,).

        Raises:
            EditError: if a layer cannot take its inputs.
        """
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            shapes[node.id] = output_shape(
                node.id, node.op, node.params, [shapes[source] for source in node.inputs]
            )
        return shapes

    def forget(self) -> None:
        """Let go of what is large and follows from the nodes; who asks for it finds it again."""
        for name in ("by_id", "num_of", "consumers", "shapes"):
            self.__dict__.pop(name, None)

    @property
    def output(self) -> Node:
        """The one node that ends the graph."""
        return self.nodes[-1]

    def ancestors(self, node_id: str) -> frozenset[str]:
        """Return every node that `node_id` depends on, itself left out."""
        found: set[str] = set()
        pending = list(self[node_id].inputs)
        while pending:
            source = pending.pop()
            if source not in found:
                found.add(source)
                pending.extend(self[source].inputs)
        return frozenset(found)

    def with_nodes(self, changed: Iterable[Node] = (), removed: Iterable[str] = ()) -> "LayerGraph":
        """Return a graph with `changed` nodes put in (by id), `removed` ones out, sorted again.

        Raises:
            EditError: if the result has a cycle or reads a node that is not there.
        """
        gone = set(removed)
        nodes = {node.id: node for node in self.nodes if node.id not in gone}
        nodes.update((node.id, node) for node in changed)
        return replace(self, nodes=_sorted(nodes))

    def validate(self) -> None:
        """Check every invariant of a network.

        Raises:
            EditError: naming the layer that breaks one.
        """
        self.check_order()
        for node_id, readers in self.consumers.items():
            if not readers and node_id != self.output.id:
                raise EditError(f"layer {node_id!r} reaches no output")
        self._check_mirrors()
        _ = self.shapes

    def check_order(self) -> None:
        """Check that layers have names of their own, stand after what they read, and end in one.

        Raises:
            EditError: naming the layer that does not.
        """
        if len({node.id for node in self.nodes}) != len(self.nodes):
            raise EditError("two layers have the same id")
        ends = [node for node in self.nodes if node.op == "output"]
        if not ends or ends != [self.output] or len(self.output.inputs) != 1:
            raise EditError("a graph ends in exactly one output")
        seen: set[str] = set()
        for node in self.nodes:
            check_name(node.id)
            if not seen.issuperset(node.inputs):
                missing = next(source for source in node.inputs if source not in seen)
                raise EditError(f"layer {node.id!r} reads {missing!r}, which is not before it")
            seen.add(node.id)

    def _check_mirrors(self) -> None:
        """Check that mirrored blocks have the same layers, in whichever order."""
        ops: dict[str, dict[str, str]] = {block: {} for block in self.mirrors}
        for node in self.nodes:
            if node.block in ops:
                ops[node.block][node.local] = node.op
        last = self.mirrors[-1:]
        for one, other in pairwise(last + self.mirrors):  # each holds the one before: all are equal
            if missing := ops[one].items() - ops[other].items():
                twin = f"{one}.{min(missing)[0]}"
                raise EditError(f"block {other!r} has no mirror image of {twin!r}")

    @cached_property
    def key(self) -> str:
        """A hash that isomorphic graphs share: names and edit history are left out.

        Every label is refined once with everything above it and once with everything below it
        (Weisfeiler-Lehman on a DAG reaches its fixed point in one sweep each way), so equal
        branches and one branch read twice differ.
        """
        above: dict[str, str] = {}
        for node in self.nodes:
            ports = [above[source] for source in node.inputs]
            if node.op in COMMUTATIVE:
                ports.sort()
            above[node.id] = canonical.digest_of(node.label, *ports)
        below: list[str] = []
        uses: dict[str, list[str]] = {node.id: [] for node in self.nodes}
        for node in reversed(self.nodes):
            mark = canonical.digest_of(above[node.id], *sorted(uses[node.id]))
            below.append(mark)
            for port, source in enumerate(node.inputs):
                uses[source].append(f"{mark}:{0 if node.op in COMMUTATIVE else port}")
        return canonical.digest_of(*sorted(below), size=16)

    def to_networkx(self) -> "nx.MultiDiGraph[str]":
        """Return the graph for networkx: node attributes op and params, edge attribute port."""
        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for node in self.nodes:
            graph.add_node(node.id, op=node.op, params=dict(node.params))
        for node in self.nodes:
            for port, source in enumerate(node.inputs):
                graph.add_edge(source, node.id, port=port)
        return graph

    def to_json(self) -> dict[str, Any]:
        """Return the graph as JSON."""
        data: dict[str, Any] = {"nodes": [node.to_json() for node in self.nodes]}
        return {**data, "mirrors": list(self.mirrors)} if self.mirrors else data

    @classmethod
    def from_json(cls, data: Mapping[str, Any], shared: Shared | None = None) -> "LayerGraph":
        """Read what `to_json` wrote; `shared` takes part in the reading of several genomes.

        Raises:
            EvonasError: if it cannot have written this, or it is no network.
        """
        layers = rows.field(data, "nodes", rows.rows)
        if len(layers) > MAX_LAYERS:
            raise StoreError(f"a network has {len(layers)} layers, should have up to {MAX_LAYERS}")
        shared = shared or Shared()
        nodes = tuple([shared.read(Node, row) for row in layers])
        graph = cls(nodes, rows.names(data.get("mirrors", []), "mirrors"))
        graph.check_order()
        return graph


def _sorted(nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    """Return the nodes in topological order: of those that may come next, the first in `nodes`.

    The order of networkx's lexicographical sort; every edit sorts, and its graphs cost ten times
    as much.
    """
    ordered = list(nodes.values())
    readers: dict[str, list[int]] = {node_id: [] for node_id in nodes}
    for number, node in enumerate(ordered):
        for source in node.inputs:
            if source not in readers:
                raise EditError(f"layer {node.id!r} reads {source!r}, which is not in the graph")
            readers[source].append(number)
    num_missing = [len(node.inputs) for node in ordered]
    ready = [number for number, missing in enumerate(num_missing) if missing == 0]
    found: list[Node] = []
    while ready:
        node = ordered[heapq.heappop(ready)]
        found.append(node)
        for reader in readers[node.id]:
            num_missing[reader] -= 1
            if num_missing[reader] == 0:
                heapq.heappush(ready, reader)
    if len(found) < len(ordered):
        raise EditError("the edit would close a cycle")
    return tuple(sorted(found, key=lambda node: node.op == "output"))
