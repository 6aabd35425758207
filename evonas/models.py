"""A candidate's network: built, with fresh weights or with those that it was trained to."""

from pathlib import Path

import torch
from torch import nn

from evonas import devices, store
from evonas.errors import StoreError
from evonas.genome import Genome
from evonas.history import Evaluation, Individual
from evonas.space import SearchSpace
from evonas.state import State


def fresh_model(space: SearchSpace, genome: Genome, seed: int) -> nn.Module:
    """Build a candidate with weights that depend on `seed` alone."""
    with devices.seeded(seed, torch.device("cpu")):
        return space.build(genome)


def trained_model(space: SearchSpace, folder: Path, one: Individual) -> nn.Module:
    """Build an evaluated individual with its trained weights, ready for inference.

    Raises:
        StoreError: if the weights are not kept, or are another network's.
    """
    assert isinstance(one.outcome, Evaluation), "only what was evaluated has weights"
    state = store.load_state(folder, one.outcome.weights).own
    check_fits(space, one.birth.genome, state)
    model = fresh_model(space, one.birth.genome, 0)
    model.load_state_dict(dict(state.tensors))
    return model.eval()


def check_fits(space: SearchSpace, genome: Genome, state: State) -> None:
    """Check that a genome and a state belong together, before memory is taken for the genome's.

    Raises:
        StoreError: if they do not.
    """
    with torch.device("meta"):
        wanted = {name: tensor.shape for name, tensor in space.build(genome).state_dict().items()}
    found = {name: tensor.shape for name, tensor in state.tensors.items()}
    if wanted != found:
        name = next(name for name in {**wanted, **found} if wanted.get(name) != found.get(name))
        raise StoreError(f"the weights are those of another network: {name!a} differs")
