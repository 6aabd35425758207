"""The state of several optimizers is that of one: kept, mapped and given back by parameter."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from evonas.genome import Genome
from evonas.networks import Signature, Signatures, named
from evonas.seeds import stream
from evonas.state import State
from evonas_spaces.policy import Policy

SIGNATURES: Signatures = {
    "actor": Signature((4,), (2,)),
    "critic1": Signature((5,), (1,)),
    "critic2": Signature((5,), (1,)),
}
SPACE = Policy(actor_width=4, critic_width=6, activation="relu")
SEED = SPACE.seed(SIGNATURES)

Optimizers = Callable[[nn.Module], Sequence[Optimizer]]


def one_adam(model: nn.Module) -> Sequence[Optimizer]:
    return [Adam(model.parameters(), lr=1e-2)]


def adams(model: nn.Module) -> Sequence[Optimizer]:
    networks = named(model, SIGNATURES)
    critics = [{"params": networks[name].parameters()} for name in ("critic1", "critic2")]
    return [Adam(networks["actor"].parameters(), lr=1e-2), Adam(critics, lr=1e-2)]


def mixed(model: nn.Module) -> Sequence[Optimizer]:
    networks = named(model, SIGNATURES)
    return [
        SGD(networks["actor"].parameters(), lr=1e-2, momentum=0.9),
        Adam(networks["critic1"].parameters(), lr=1e-2),
    ]


def fresh(genome: Genome = SEED) -> nn.Module:
    torch.manual_seed(0)
    return SPACE.build(genome).double()


def loss(model: nn.Module, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    total = torch.zeros((), dtype=torch.float64)
    for name, network in named(model, SIGNATURES).items():
        inputs = torch.randn(8, *SIGNATURES[name].inputs, generator=generator, dtype=torch.float64)
        total = total + (network(inputs) - 1.0).square().mean()
    return total


def practise(model: nn.Module, optimizers: Sequence[Optimizer], first: int = 0) -> None:
    for step in range(first, first + 3):
        model.zero_grad()
        loss(model, step).backward()
        for optimizer in optimizers:
            optimizer.step()


def trained(make: Optimizers) -> State:
    model = fresh()
    optimizers = make(model)
    practise(model, optimizers)
    return State.of(model, *optimizers)


def grown(seed: int) -> Genome:
    """Return the seed after an edit by every mutation that has one, of any network."""
    genome = SEED
    for number, mutation in enumerate(SPACE.mutations().values()):
        edit = mutation.propose(genome, stream(seed, number))
        genome = genome if edit is None else mutation.apply(genome, edit)
    return genome


def test_two_optimizers_leave_the_state_that_one_leaves():
    assert trained(adams).to_bytes() == trained(one_adam).to_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_moments_of_two_optimizers_are_mapped_as_those_of_one(seed: int):
    child = grown(seed)
    assert len(child.edits) > 6
    one, two = (
        SPACE.inherit(child, [(SEED, trained(make))], stream(seed)) for make in (one_adam, adams)
    )
    assert one.to_bytes() == two.to_bytes()


@pytest.mark.parametrize("make", [one_adam, adams, mixed])
def test_training_goes_on_as_if_it_had_not_been_interrupted(make: Optimizers):
    whole, half = fresh(), fresh()
    optimizers = make(whole)
    practise(whole, optimizers)
    practise(whole, optimizers, first=3)
    state = trained(make)
    half.load_state_dict(dict(state.tensors))
    again = make(half)
    for optimizer in again:
        state.restore_optimizer(half, optimizer)
    practise(half, again, first=3)
    for name, tensor in whole.state_dict().items():
        assert tensor.equal(half.state_dict()[name]), name


@pytest.mark.parametrize("seed", range(4))
def test_slots_of_some_networks_survive_edits_of_all(seed: int):
    child = grown(seed)
    state = SPACE.inherit(child, [(SEED, trained(mixed))], stream(seed))
    owners = {
        slot: {name.partition(".")[0] for name in values} for slot, values in state.slots.items()
    }
    assert owners["momentum_buffer"] == {"actor"}
    assert owners["exp_avg"] == owners["exp_avg_sq"] == {"critic1"}
    model = fresh(child)
    model.load_state_dict(dict(state.tensors))
    optimizers = mixed(model)
    for optimizer in optimizers:
        state.restore_optimizer(model, optimizer)
    practise(model, optimizers)


def test_an_optimizer_gets_the_slots_of_its_own_parameters_alone():
    model = fresh()
    actor, critics = adams(model)
    trained(one_adam).restore_optimizer(model, actor)
    assert set(actor.state) == set(named(model, SIGNATURES)["actor"].parameters())
    assert not critics.state


def test_what_is_no_parameter_of_the_model_is_no_part_of_its_state():
    model, temperature = fresh(), nn.Parameter(torch.zeros(()))
    optimizer = Adam([temperature])
    temperature.sum().backward()
    optimizer.step()
    assert not State.of(model, optimizer).slots
