"""The places in a network that a cohort may read, by names that outlive edits.

| tap | what it is |
|---|---|
| `s1`, `s2`, ... | the value with which a stage ends |
| `last` | the last map; of a network of vectors the end of its last stage |
| `gap` | the vector that the last linear layer reads |
| `logits` | the output |

A stage of a network of pictures is a resolution, and ends in the last value of the trunk that has
it. The trunk is what lies on every path from input to output, so no tap is inside a branch.
Resolutions before the first that has a named block belong to the stem and are no stages: a ResNet's
first map is not, the stem of `eena` is part of its first stage. As no edit changes a resolution,
and layers made by edits are in the block of what they edit, every edit leaves the names as they
are. A stage of which a long skip leaves nothing on the trunk has no tap until the skip is removed;
the others keep their numbers.

A stage of a network of vectors is a named block, and ends in what the next block reads, on the
trunk or not; the last one ends in `gap`, and so does the one stage of a network without blocks.
"""

from collections.abc import Iterator, Mapping

from evonas.errors import EditError
from evonas.genome.cohort_kinds import LOGITS, Tap
from evonas.genome.genome import Genome
from evonas.genome.layers import LayerGraph, Node
from evonas.genome.members import NETWORK

LAST = "last"
"""The tap of the last map."""

GAP = "gap"
"""The tap of the vector that the last linear layer reads."""


def taps(graph: LayerGraph) -> Mapping[str, Tap]:
    """Return the taps of a network, the early ones first."""
    main = trunk(graph)
    maps = [node for node in main if node.inputs and len(graph.shapes[node.id]) == 3]
    readers = [node for node in main if node.op == "linear"]
    ends = dict(_map_ends(graph, maps) if maps else _vector_ends(graph, readers))
    if ends:
        ends[LAST] = maps[-1].id if maps else list(ends.values())[-1]
    if readers:
        ends[GAP] = readers[-1].inputs[0]
    ends[LOGITS] = graph.output.inputs[0]
    return {name: Tap(layer, graph.shapes[layer]) for name, layer in ends.items()}


def network_taps(genome: Genome) -> Mapping[str, Tap]:
    """Return the taps of a candidate that is one network.

    Raises:
        EditError: if it has several networks, or one of another name than `net`.
    """
    if set(genome.architecture) != {NETWORK}:
        given = ", ".join(sorted(genome.architecture)) or "none"
        raise EditError(f"only a candidate of one network {NETWORK!r} has taps, given {given}")
    return taps(genome.architecture[NETWORK])


def trunk(graph: LayerGraph) -> tuple[Node, ...]:
    """Return the layers that lie on every path from input to output, in graph order."""
    to_here: dict[str, int] = {}
    for node in graph.nodes:
        to_here[node.id] = sum(to_here[source] for source in node.inputs) if node.inputs else 1
    from_here = dict.fromkeys(to_here, 0) | {graph.output.id: 1}
    for node in reversed(graph.nodes):
        for source in node.inputs:
            from_here[source] += from_here[node.id]
    paths = to_here[graph.output.id]
    return tuple(node for node in graph.nodes if to_here[node.id] * from_here[node.id] == paths)


def _map_ends(graph: LayerGraph, maps: list[Node]) -> Iterator[tuple[str, str]]:
    """Yield every stage of a network of pictures, and the last trunk layer with its resolution."""
    sizes = {node.id: graph.shapes[node.id][1:] for node in graph.nodes if node.inputs}
    resolutions = sorted({size for size in sizes.values() if size}, key=_area, reverse=True)
    named = [sizes[node.id] for node in graph.nodes if node.block and sizes.get(node.id)]
    first = min(map(resolutions.index, named), default=0)
    ends = {sizes[node.id]: node.id for node in maps}
    for number, size in enumerate(resolutions[first:], start=1):
        if size in ends:
            yield f"s{number}", ends[size]


def _vector_ends(graph: LayerGraph, readers: list[Node]) -> Iterator[tuple[str, str]]:
    """Yield every stage of a network of vectors, and what the first layer of the next reads."""
    if not readers:
        return
    gap = readers[-1].inputs[0]
    before = graph.ancestors(gap) | {gap}
    blocks: dict[str, Node] = {}
    for node in graph.nodes:
        if node.block and node.id in before:
            blocks.setdefault(node.block, node)
    _, *later = blocks.values() if blocks else [readers[-1]]
    for number, end in enumerate([*(first.inputs[0] for first in later), gap], start=1):
        yield f"s{number}", end


def _area(size: tuple[int, ...]) -> tuple[int, ...]:
    """Return what larger maps have more of."""
    height, width = size
    return height * width, height
