"""A candidate's network: built, with fresh weights or with those that it was trained to."""

from pathlib import Path

import torch
from torch import nn

from evonas import devices, store
from evonas.config import Run
from evonas.errors import StoreError
from evonas.genome import Genome
from evonas.history import Evaluation, Individual
from evonas.space import SearchSpace
from evonas.state import State
from evonas.trainer import Context


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


def showing(folder: Path, run: Run, seed: int) -> Context:
    """Return what a trainer is lent for a network of a finished search: nobody listens."""
    prepared = store.load_prepared(folder)
    assert prepared is not None, "a run with births has been prepared"
    device = devices.best()
    precision = devices.precision(run.precision, device)
    return Context(device, precision, seed, prepared, None, lambda *_, **__: None)
