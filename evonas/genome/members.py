"""The networks of a cohort's members: a chromosome of layer graphs beside the candidate's own.

They are kept apart from `Genome.architecture`, which is what is handed over, measured and limited.
"""

from collections.abc import Mapping
from dataclasses import replace

from evonas.genome.genome import Genome
from evonas.genome.layers import LayerGraph

MEMBERS = "members"
"""The name of the chromosome."""

NETWORK = "net"
"""The one graph of a candidate that may have a cohort, and of its members."""


def members(genome: Genome) -> Mapping[str, LayerGraph]:
    """Return the members' graphs by node."""
    rows: Mapping[str, Mapping[str, object]] = genome.chromosomes.get(MEMBERS, {})
    return {name: LayerGraph.from_json(row) for name, row in rows.items()}


def with_members(genome: Genome, graphs: Mapping[str, LayerGraph]) -> Genome:
    """Return the genome with these members and no others."""
    others = {name: one for name, one in genome.chromosomes.items() if name != MEMBERS}
    rows = {name: graph.to_json() for name, graph in sorted(graphs.items())}
    return replace(genome, chromosomes={**others, MEMBERS: rows} if rows else others)


def as_genome(graph: LayerGraph) -> Genome:
    """Return a member's network as a genome of its own."""
    return Genome({NETWORK: graph})
