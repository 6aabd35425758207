"""Where a layer's tensors stand in the state of the whole candidate."""

from evonas.genome import Genome


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


def made_by(edit_id: str, role: str, op: str) -> str:
    """Return the local name of the layer that an edit makes in a role.

    The name depends on the edit alone, so one innovation has one name in every lineage.
    """
    return f"{op}_{role}_{edit_id}"
