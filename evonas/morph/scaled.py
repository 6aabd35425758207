"""Wider and thinner copies of a network: teachers, assistants and members of other sizes.

Channels that sums and concatenations tie are scaled together, group by group, so that every copy
is valid. What may not be resized keeps its width: channels that enter or leave the network, that a
frozen layer makes, or that a grouped convolution makes or reads.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from evonas.errors import EditError
from evonas.genome import LayerGraph, Node
from evonas.morph.channels import Channels
from evonas.morph.naming import instances, site


def scaled(graph: LayerGraph, factor: float) -> LayerGraph:
    """Return the graph with every width that may change times `factor`, rounded, 1 at least.

    Mirrored blocks whose widths came to differ by rounding are not mirrored in the copy.

    Raises:
        EditError: if the factor is not above 0.
    """
    if not factor > 0:
        raise EditError(f"widths cannot be multiplied by {factor!r}, should be above 0")
    added: Counter[str] = Counter()
    for group in Channels.of(graph).groups:
        size = len(group.classes)
        change = _times(size, factor) - size
        added.update({maker: count * change for maker, count in group.makers.items()})
    copy = graph.with_nodes(_resized(graph, added, factor))
    if not _is_mirrored(copy):
        copy = replace(copy, mirrors=())
    copy.validate()
    return copy


def _resized(graph: LayerGraph, added: Counter[str], factor: float) -> Iterator[Node]:
    for node in graph.nodes:
        if node.id in added:
            out = node.params["out"] + added[node.id]
            yield replace(node, params={**node.params, "out": out})
        elif node.op == "se" and not node.frozen:
            squeeze = _times(node.params["squeeze"], factor)
            yield replace(node, params={**node.params, "squeeze": squeeze})


def _times(width: int, factor: float) -> int:
    return max(1, round(width * factor))


def _is_mirrored(graph: LayerGraph) -> bool:
    """Return whether mirrored blocks have layers of equal parameters."""
    return all(
        graph[twin].params == node.params
        for node in graph.nodes
        for twin in instances(graph, site(graph, node))
    )
