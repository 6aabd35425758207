"""What the inserting mutations share: places in a graph, chains of new layers, splicing them in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.genome.shapes import Shape
from evonas.morph.naming import instances, made_by, site, split_target
from evonas.seeds import Rng

T = TypeVar("T")
Step = tuple[str, Mapping[str, Any]]
"""An operation and its parameters."""

WEIGHTED = frozenset({"conv", "depthwise", "linear"})
_AFTER = frozenset({"act", "add", "concat", "lerp", "maxpool", "avgpool"})


def places(genome: Genome, fits: Callable[[LayerGraph, Node], bool]) -> list[str]:
    """Return the edit targets after which a layer may go, in every mirrored block at once.

    These are the tensors that a nonlinearity, a sum, a concatenation or a pool makes, except
    those that only lead from one frozen layer to others.
    """
    found: dict[str, None] = {}
    for name, graph in genome.architecture.items():
        open_nodes = [n for n in graph.nodes if n.op in _AFTER and not _enclosed(graph, n)]
        for where in dict.fromkeys(site(graph, node) for node in open_nodes):
            if all(fits(graph, graph[place]) for place in instances(graph, where)):
                found[f"{name}/{where}"] = None
    return list(found)


def has_room(graph: LayerGraph, node: Node, added: int, max_layers: int) -> bool:
    """Whether the graph may get `added` weighted layers at this node and at its mirror images."""
    copies = len(graph.mirrors) if node.block in graph.mirrors else 1
    return sum(graph.num_of[op] for op in WEIGHTED) + added * copies <= max_layers


def drawn(options: Sequence[T], rng: Rng) -> T | None:
    """Return one of the options, or None if there are none."""
    return options[int(rng.integers(len(options)))] if options else None


def graph_of(genome: Genome, target: str) -> tuple[str, LayerGraph, str]:
    """Return the name of the graph that a target lies in, the graph, and the target's site.

    Raises:
        EditError: if the genome has no such graph.
    """
    name, where = split_target(target)
    if name not in genome.architecture:
        known = ", ".join(sorted(genome.architecture))
        raise EditError(f"the genome has no graph {name!r} (it has: {known})")
    return name, genome.architecture[name], where


def proposed(
    genome: Genome,
    rng: Rng,
    operator: str,
    kernels: Sequence[int],
    fits: Callable[[LayerGraph, Node], bool],
) -> Edit | None:
    """Draw a place that fits, and the new layer's activation and (on pictures) square kernel.

    The activation is the place's own or the graph's first; kernels whose rim would see nothing
    but padding are left out.
    """
    target = drawn(places(genome, fits), rng)
    if target is None:
        return None
    graph, node = first(genome, target)
    sizes = [graph.shapes[twin][1:] for twin in instances(graph, site(graph, node))]
    acts = (other.params["kind"] for other in graph.nodes if other.op == "act")
    args: dict[str, Any] = {"kind": node.params.get("kind", next(acts, "relu"))}
    if sizes[0]:
        seen = [size for size in kernels if size // 2 < min(map(min, sizes))]
        args["kernel"] = [drawn(seen, rng) or 1] * 2
    return genome.edit(operator, target, **args)


def first(genome: Genome, target: str) -> tuple[LayerGraph, Node]:
    """Return a target's graph, and the layer itself or the first of its mirror images."""
    _, graph, where = graph_of(genome, target)
    return graph, graph[instances(graph, where)[0]]


def inserted(
    genome: Genome, edit: Edit, make: Callable[[LayerGraph, Node], Iterable[Node]]
) -> Genome:
    """Return the genome with what `make` makes spliced in after the edit's first target.

    The last of the nodes that `make` returns takes the target's place for all who read it.

    Raises:
        EditError: if the target is not there or the new layers do not fit.
    """
    name, graph, where = graph_of(genome, edit.targets[0])
    changed: dict[str, Node] = {}
    for node_id in instances(graph, where):
        new = tuple(make(graph, graph[node_id]))
        readers = [changed.get(reader, graph[reader]) for reader in graph.consumers[node_id]]
        changed |= {node.id: node for node in (*new, *rewired(readers, node_id, new[-1].id))}
    graph = graph.with_nodes(changed.values())
    graph.validate()
    return genome.with_graph(name, graph).with_edit(edit)


def rewired(readers: Iterable[Node], old: str, new: str) -> list[Node]:
    """Return the readers with `new` wherever they read `old`."""
    return [
        replace(reader, inputs=tuple(new if source == old else source for source in reader.inputs))
        for reader in readers
    ]


def chain(edit: Edit, source: Node, role: str, steps: Iterable[Step]) -> list[Node]:
    """Return new layers, each reading the one before it and the first reading `source`."""
    nodes: list[Node] = []
    for op, params in steps:
        last = nodes[-1].id if nodes else source.id
        nodes.append(Node(made_by(edit.id, role, op, source.block), op, (last,), params))
    return nodes


def made(graph: LayerGraph, edit: Edit, role: str, op: str) -> list[Node]:
    """Return the layers of one operation that the edit made in a role, one in every block."""
    return [node for node in graph.nodes if node.local == made_by(edit.id, role, op)]


def normed(graph: LayerGraph, weighted: Sequence[Step], kind: str) -> list[Step]:
    """Return the weighted steps, then batch norm if the graph has any, then an activation.

    The last weighted layer has a bias only where no batch norm follows.
    """
    norm = next((node.params for node in graph.nodes if node.op == "bn"), None)
    *before, (op, params) = weighted
    steps = [*before, (op, {**params, "bias": norm is None})]
    return [*steps, *([("bn", norm)] if norm is not None else []), ("act", {"kind": kind})]


def weighted(shape: Shape, kernel: Sequence[int]) -> Step:
    """Return the convolution, or the linear layer for a vector, that keeps a tensor's shape."""
    if len(shape) == 1:
        return "linear", {"out": shape[0], "bias": True}
    return "conv", {"out": shape[0], **window(kernel), "groups": 1, "bias": True}


def window(kernel: Sequence[int]) -> dict[str, list[int]]:
    """Return the parameters of a window with an odd kernel that keeps a map's size."""
    return {
        "kernel": list(kernel),
        "stride": [1, 1],
        "padding": [size // 2 for size in kernel],
        "dilation": [1, 1],
    }


def _enclosed(graph: LayerGraph, node: Node) -> bool:
    return node.frozen and all(graph[reader].frozen for reader in graph.consumers[node.id])
