"""Models, trained states and outputs to compare, small enough to make by the dozen."""

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from evonas import devices
from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.genome.members import as_genome, members
from evonas.models import fresh_model
from evonas.morph.build import build
from evonas.networks import Signature, Signatures, named
from evonas.plugins import load, names
from evonas.space import SearchSpace
from evonas.state import State
from evonas.testing.classes import example

BATCH = 16
TOLERANCE = 1e-9
SAMPLES: tuple[Signatures, ...] = (
    {"net": Signature((5,), (3,))},
    {"net": Signature((1, 8, 8), (10,))},
    {"net": Signature((3, 32, 32), (10,))},
    {"actor": Signature((4,), (2,)), "critic": Signature((4,), (1,))},
)
"""Networks that trainers commonly ask for, the cheap ones first."""


def signatures_for(space: SearchSpace) -> Signatures:
    """Return networks that a space has: its `example_signatures`, or the first sample that fits.

    Raises:
        ConfigError: if none fits.
    """
    own = getattr(space, "example_signatures", None)
    if own is not None:
        return own()
    for signatures in SAMPLES:
        if accepts(space, signatures):
            return signatures
    raise ConfigError(
        f"{type(space).__name__} has no candidate for any of the common signatures; "
        "give the class a method `example_signatures` that returns some it has"
    )


def accepts(space: SearchSpace, signatures: Signatures) -> bool:
    """Return whether a space has candidates with these inputs and outputs."""
    try:
        _ = space.seed(signatures)
    except ConfigError:
        return False
    return True


def registered_spaces() -> Iterator[SearchSpace]:
    """Yield an example of every installed space, by name."""
    for name in sorted(names(SearchSpace)):
        yield example(load(SearchSpace, name))


def smallest_space() -> tuple[SearchSpace, Signatures]:
    """Return the installed space with the cheapest sample networks.

    Raises:
        ConfigError: if no space is installed.
    """
    spaces = list(registered_spaces())
    for signatures in SAMPLES:
        for space in spaces:
            if accepts(space, signatures):
                return space, signatures
    raise ConfigError("no search space is installed that the checks could use")


def batches(signatures: Signatures, seed: int = 0) -> Mapping[str, Tensor]:
    """Return one batch of standard normal inputs a network, in float64."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(BATCH, *signature.inputs, generator=generator, dtype=torch.float64)
        for name, signature in signatures.items()
    }


def outputs(
    model: nn.Module, signatures: Signatures, *, training: bool = False
) -> Mapping[str, Tensor]:
    """Return what every network makes of its batch, in the model's precision."""
    model.train(training)
    networks = named(model, signatures)
    dtype = next((p.dtype for p in model.parameters()), torch.float64)
    with torch.no_grad(), seeded(0):
        return {
            name: networks[name](inputs.to(dtype)) for name, inputs in batches(signatures).items()
        }


def practise(model: nn.Module, signatures: Signatures, steps: int = 2) -> State:
    """Train a float64 model a little, so that no statistic or momentum is trivial."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    with seeded(0):
        for step in range(steps):
            optimizer.zero_grad()
            total_loss(model, signatures, step).backward()
            optimizer.step()
    return State.of(model, optimizer)


def total_loss(model: nn.Module, signatures: Signatures, step: int) -> Tensor:
    """Return the squared distance of all outputs from a drawn target."""
    generator = torch.Generator().manual_seed(1000 + step)
    loss = torch.zeros((), dtype=torch.float64)
    networks = named(model, signatures)
    for name, inputs in batches(signatures, seed=step + 1).items():
        made = networks[name](inputs)
        target = torch.randn(made.shape, generator=generator, dtype=torch.float64)
        loss = loss + (made - target).square().mean()
    return loss


def trained(space: SearchSpace, genome: Genome, signatures: Signatures) -> State:
    """Return the state of a candidate and its members after two steps of training in float64."""
    own = practise(fresh_model(space, genome, 0).double(), signatures)
    parts = {name: practise(model.double(), signatures) for name, model in _members(genome).items()}
    return own.joined(parts)


def fresh_state(space: SearchSpace, genome: Genome) -> State:
    """Return a state that a candidate and its members might have before any training."""
    parts = {name: State.of(model) for name, model in _members(genome).items()}
    return State.of(fresh_model(space, genome, 0)).joined(parts)


def _members(genome: Genome) -> Mapping[str, nn.Module]:
    """Build the members of a genome's cohort."""
    with seeded(0):
        return {name: build(as_genome(graph)) for name, graph in members(genome).items()}


def loaded(space: SearchSpace, genome: Genome, state: State) -> nn.Module:
    """Build a candidate in float64 with this state.

    Raises:
        AssertionError: if the state does not fit.
    """
    model = fresh_model(space, genome, 1).double()
    try:
        model.load_state_dict(dict(state.own.tensors))
    except RuntimeError as error:
        raise AssertionError(f"the state does not fit the candidate: {error}") from None
    return model


def distance(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """Return the largest difference between outputs, relative to the largest output above 1."""
    assert first.keys() == second.keys()
    worst = 0.0
    for name, one in first.items():
        other = second[name]
        assert one.shape == other.shape, f"network {name!r}: {one.shape} became {other.shape}"
        scale = max(1.0, float(one.abs().max()))
        worst = max(worst, float((one - other).abs().max()) / scale)
    return worst if not math.isnan(worst) else math.inf


def same_tensors(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Return whether two mappings hold equal tensors, bit for bit."""
    return first.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) for name, tensor in first.items()
    )


def seeded(seed: int) -> AbstractContextManager[None]:
    """Seed torch's global generator inside, and put it back after."""
    return devices.seeded(seed, torch.device("cpu"))
