"""Random walks of cohorts by the operators on nodes and stages, and what they inherit."""

from collections.abc import Mapping

import torch
from cohorts import OPTIONS, SEED

from evonas.genome import Genome
from evonas.genome.cohort import Cohort
from evonas.genome.members import as_genome, members
from evonas.morph.build import build
from evonas.morph.cohort.assistant import CohortAssistant
from evonas.morph.cohort.grow import CohortGrow
from evonas.morph.cohort.nodes import CohortClone, CohortDrop, CohortSnapshot
from evonas.morph.cohort.stages import CohortSampler, CohortStage
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng, stream
from evonas.state import State

OPERATORS: Mapping[str, Mutation] = {
    mutation.operator: mutation
    for mutation in (
        CohortAssistant(options=OPTIONS),
        CohortClone(options=OPTIONS),
        CohortDrop(options=OPTIONS),
        CohortGrow(options=OPTIONS),
        CohortSampler(options=OPTIONS),
        CohortSnapshot(options=OPTIONS),
        CohortStage(options=OPTIONS),
    )
}


def cohort_of(genome: Genome) -> Cohort:
    """Return the cohort of a genome that has one."""
    found = Cohort.of(genome)
    assert found is not None
    return found


def edited(genome: Genome, operator: str, rng: Rng) -> Genome:
    """Return the genome after an edit by an operator that has one of it."""
    edit = OPERATORS[operator].propose(genome, rng)
    assert edit is not None
    return type(OPERATORS[operator])().apply(genome, edit)


def wandered(genome: Genome, steps: int, seed: int) -> Genome:
    """Return the genome after some drawn edits."""
    rng, names = stream(seed, "cohort walk"), list(OPERATORS)
    for _ in range(steps):
        mutation = OPERATORS[names[int(rng.integers(len(names)))]]
        edit = mutation.propose(genome, rng)
        genome = genome if edit is None else type(mutation)().apply(genome, edit)
    return genome


def state_of(genome: Genome, seed: int = 0) -> State:
    """Return a state with momentum that the candidate and its members might have been left in."""
    graphs = members(genome)
    models = {name: as_genome(graph) for name, graph in graphs.items()}
    parts = {name: _drawn(one, seed + at) for at, (name, one) in enumerate(models.items(), 1)}
    return _drawn(as_genome(genome.architecture["net"]), seed).joined(parts)


def computed(genome: Genome, state: State) -> torch.Tensor:
    """Return what a network alone makes of a few pictures of the seed's kind."""
    model = build(genome).double()
    model.load_state_dict(dict(state.tensors))
    inputs = torch.rand(4, *SEED.architecture["net"].nodes[0].params["shape"])
    inputs = torch.linspace(-1, 1, inputs.numel(), dtype=torch.float64).reshape(inputs.shape)
    with torch.no_grad():
        return model.eval()(inputs)


def _drawn(genome: Genome, seed: int) -> State:
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in build(genome).state_dict().items():
        drawn = torch.rand(tensor.shape, generator=generator, dtype=torch.float64) + 0.1
        tensors[name] = drawn if tensor.is_floating_point() else tensor
    momentum = {name: one / 2 for name, one in tensors.items() if name.endswith(".weight")}
    return State(tensors, {"momentum_buffer": momentum})
