"""A view that a cohort hands over, as a plain network of its own."""

from torch import nn

from evonas.errors import unknown
from evonas.genome import Genome
from evonas.genome.cohort import CANDIDATE, Cohort
from evonas.genome.members import NETWORK, as_genome
from evonas.genome.nested import nested
from evonas.morph.build import build
from evonas.state import State


def view_of(genome: Genome, state: State, name: str) -> tuple[nn.Module, Genome]:
    """Return a view with its trained weights, ready for inference, and its genome.

    Tensors that it does not have for itself are those of the candidate.

    Args:
        genome: Of the candidate.
        state: Of the candidate, with the parts of its cohort.
        name: A node of the readout, the candidate apart.

    Raises:
        ConfigError: if the candidate hands over no such view.
    """
    cohort = Cohort.of(genome) or Cohort()
    views = {node: cohort.nodes[node] for node in cohort.readout if node != CANDIDATE}
    if name not in views:
        raise unknown("view", name, views)
    assert views[name].of == CANDIDATE, "the readout holds views of the candidate"
    graph, depths = genome.architecture[NETWORK], views[name].depths
    plain = as_genome(nested(graph, depths) if depths else graph)
    model = build(plain)
    tensors = {**state.own.tensors, **state.part(name).tensors}
    model.load_state_dict({key: tensors[key] for key in model.state_dict()})
    return model.eval(), plain
