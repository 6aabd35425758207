"""Names of layers and tensors: edit targets, mirrored blocks, places in the candidate's state."""

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph, Node

_EVERY = "*."


def prefix(genome: Genome, graph: str) -> str:
    """Return what stands before `node.parameter` in the state's names: nothing for a lone graph."""
    return "" if len(genome.architecture) == 1 else f"{graph}."


def split_target(target: str) -> tuple[str, str]:
    """Split an edit's target into graph and layer.

    >>> split_target("net/block1.conv")
    ('net', 'block1.conv')
    """
    graph, _, node = target.partition("/")
    return graph, node


def site(graph: LayerGraph, node: Node) -> str:
    """Return how an edit names this layer: `*.local` stands for it in every mirrored block."""
    return _EVERY + node.local if node.block in graph.mirrors else node.id


def instances(graph: LayerGraph, name: str) -> tuple[str, ...]:
    """Return the ids that `site` names: one in every mirrored block, or the layer itself.

    Raises:
        EditError: if one of them is not in the graph.
    """
    blocks = [f"{block}." for block in graph.mirrors] if name.startswith(_EVERY) else [""]
    found = tuple(block + name.removeprefix(_EVERY) for block in blocks)
    if missing := [node_id for node_id in found if node_id not in graph]:
        raise EditError(f"the graph has no layer {missing[0]!r}")
    return found


def made_by(edit_id: str, role: str, op: str, block: str = "") -> str:
    """Return the id of the layer that an edit makes in a role, in a block.

    The name depends on the edit alone, so one innovation has one name in every lineage.
    """
    local = f"{op}_{role}_{edit_id}"
    return f"{block}.{local}" if block else local
