"""Connections are dropped where weak and grow elsewhere; there are always as many."""

import math
from typing import Literal

import pytest
import torch
from sparse_training import WEIGHTS, Training, filter_plan, network, weight_plan
from torch import Tensor

from evonas import plugins
from evonas.errors import ConfigError
from evonas.genome.schedule import Curve, Schedule
from evonas.state import State
from evonas_trainers.pruning.regrow import Growth, Regrow, RegrowPruner, first_connections

SCHEDULE = Schedule(beta=Curve(), interval=3)
GROWTHS = pytest.mark.parametrize("growth", ["random", "gradient"])
OPTIMIZERS = pytest.mark.parametrize("optimizer", ["sgd", "adamw"])


def begun(
    rule: Regrow, optimizer: Literal["sgd", "adamw"] = "sgd", schedule: Schedule = SCHEDULE
) -> tuple[Training, RegrowPruner]:
    model = network()
    training = Training.begin(rule, weight_plan(model, schedule), model, optimizer)
    assert isinstance(training.pruner, RegrowPruner)
    return training, training.pruner


def weights(training: Training) -> dict[str, Tensor]:
    return {name: training.model.get_parameter(name).detach().clone() for name in WEIGHTS}


def advance(training: Training, steps: int) -> None:
    for _ in range(steps):
        training.backward()
        training.step()


@GROWTHS
@OPTIMIZERS
def test_pruned_weights_are_zero_and_their_number_stays_at_all_times(
    growth: Growth, optimizer: Literal["sgd", "adamw"]
) -> None:
    training, pruner = begun(Regrow(growth=growth), optimizer)

    def look() -> None:
        for name, weight in weights(training).items():
            assert int(pruner.active[name].sum()) == WEIGHTS[name]
            assert bool((weight[~pruner.active[name]] == 0).all())

    look()
    training.run(look)
    look()


@GROWTHS
@OPTIMIZERS
def test_inherited_momentum_does_not_move_pruned_weights(
    growth: Growth, optimizer: Literal["sgd", "adamw"]
) -> None:
    training, pruner = begun(Regrow(growth=growth), optimizer)
    slots = ["momentum_buffer"] if optimizer == "sgd" else ["exp_avg", "exp_avg_sq"]
    for parameter in training.model.parameters():
        state = {slot: torch.ones_like(parameter) for slot in slots}
        if optimizer == "adamw":
            state["step"] = torch.tensor(5.0)
        training.optimizer.state[parameter].update(state)
    advance(training, 2)
    for name, weight in weights(training).items():
        assert bool((weight[~pruner.active[name]] == 0).all())


def literal_update(
    weight: list[float], active: list[bool], score: list[float], number: int
) -> list[bool]:
    """Drop the `number` weakest active weights, then grow by score, one at a time."""
    now = list(active)
    for _ in range(number):
        candidates = [place for place in range(len(now)) if now[place]]
        now[min(candidates, key=lambda place: (abs(weight[place]), place))] = False
    for _ in range(number):
        candidates = [place for place in range(len(now)) if not now[place]]
        now[max(candidates, key=lambda place: (score[place], -place))] = True
    return now


def test_the_weakest_are_dropped_and_the_largest_gradients_grow() -> None:
    training, pruner = begun(Regrow(growth="gradient", fraction=0.5, fraction_curve="constant"))
    advance(training, 3)
    training.backward()
    expected: dict[str, list[bool]] = {}
    for name, weight in weights(training).items():
        gradient = training.model.get_parameter(name).grad
        assert gradient is not None
        expected[name] = literal_update(
            weight.flatten().tolist(),
            pruner.active[name].flatten().tolist(),
            gradient.abs().flatten().tolist(),
            WEIGHTS[name] // 2,
        )
    before = {name: active.clone() for name, active in pruner.active.items()}
    training.step()
    for name, active in pruner.active.items():
        assert active.flatten().tolist() == expected[name]
        assert not torch.equal(active, before[name])


def test_an_update_by_gradient_takes_the_place_of_the_step() -> None:
    training, pruner = begun(Regrow(growth="gradient"))
    advance(training, 3)
    before = {name: tensor.clone() for name, tensor in training.model.named_parameters()}
    old = {name: active.clone() for name, active in pruner.active.items()}
    advance(training, 1)
    for name, tensor in training.model.named_parameters():
        expected = before[name] * (old[name] & pruner.active[name]) if name in old else before[name]
        assert torch.equal(tensor, expected)


def test_a_random_update_follows_the_step_and_drops_the_weakest() -> None:
    training, pruner = begun(Regrow(growth="random", fraction_curve="constant"))
    advance(training, 3)
    training.backward()
    old = {name: active.clone() for name, active in pruner.active.items()}
    training.pruner.before_step(training.optimizer, training.progress)
    training.optimizer.step()
    moved = weights(training)
    training.pruner.after_step(training.optimizer, training.progress)
    for name, weight in moved.items():
        number = math.floor(0.3 * WEIGHTS[name])
        strongest = weight[old[name]].abs().sort().values[number:]
        now = training.model.get_parameter(name)
        stayed = old[name] & pruner.active[name] & (weight.abs() >= strongest[0])
        assert int(stayed.sum()) == WEIGHTS[name] - number
        assert torch.equal(now[stayed], weight[stayed])


def test_random_growth_is_drawn_from_the_generator() -> None:
    found: list[Tensor] = []
    for seed in (1, 1, 2):
        model = network()
        rule = Regrow(growth="random")
        pruner = rule.start(
            model, weight_plan(model, SCHEDULE), torch.Generator().manual_seed(seed)
        )
        found.append(pruner.active["3.weight"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_random_growth_reaches_every_free_place_alike() -> None:
    counts = torch.zeros(40)
    weight = torch.ones(40)
    weight[:20] = 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(400):
        counts += first_connections(weight, 30, generator)
    assert bool((counts[20:] == 400).all())
    assert bool(((counts[:20] - 200).abs() < 50).all())


def test_what_grows_begins_at_zero_without_momentum() -> None:
    training, pruner = begun(Regrow(growth="random", fraction=0.5))
    advance(training, 3)
    old = {name: active.clone() for name, active in pruner.active.items()}
    advance(training, 1)
    for name, active in pruner.active.items():
        grown = active & ~old[name]
        parameter = training.model.get_parameter(name)
        momentum = training.optimizer.state[parameter]["momentum_buffer"]
        assert bool(grown.any())
        assert bool((parameter[grown] == 0).all())
        assert bool((momentum[grown] == 0).all())


def test_what_is_dropped_and_grown_at_once_keeps_its_value_and_momentum() -> None:
    model = network()
    keep = {"0.weight": 54}
    rule = Regrow(growth="gradient", fraction=1.0, fraction_curve="constant")
    training = Training.begin(rule, weight_plan(model, SCHEDULE, keep), model)
    advance(training, 3)
    weight = model.get_parameter("0.weight")
    momentum = training.optimizer.state[weight]["momentum_buffer"]
    before = weight.detach().clone(), momentum.clone()
    advance(training, 1)
    assert torch.equal(weight, before[0])
    assert torch.equal(momentum, before[1])


def test_the_first_mask_of_a_dense_tensor_does_not_look_at_its_weights() -> None:
    masks = [
        first_connections(weight, 10, torch.Generator().manual_seed(0))
        for weight in (torch.arange(1.0, 41), torch.arange(41.0, 1, -1))
    ]
    assert torch.equal(masks[0], masks[1])
    assert int(masks[0].sum()) == 10


@pytest.mark.parametrize(
    ("number", "inherited"),
    [(3, [4, 5, 6]), (2, [5, 6]), (5, [4, 5, 6])],
    ids=["as", "less", "more"],
)
def test_a_sparse_tensor_keeps_its_strongest_connections(number: int, inherited: list[int]) -> None:
    weight = torch.zeros(10)
    weight[4], weight[5], weight[6] = 0.1, -0.3, 0.2
    mask = first_connections(weight, number, torch.Generator().manual_seed(0))
    assert int(mask.sum()) == number
    assert bool(mask[inherited].all())


def test_the_share_falls_in_half_a_wave_until_connections_stay() -> None:
    rule = Regrow(fraction=0.3, until=0.8)
    expected = [0.15 * (1 + math.cos(math.pi * progress / 0.8)) for progress in (0.0, 0.2, 0.6)]
    assert [rule.share(progress) for progress in (0.0, 0.2, 0.6)] == expected
    assert rule.share(0.8) == 0
    assert Regrow(fraction_curve="constant").share(0.7) == 0.3


def test_training_goes_on_when_connections_stay() -> None:
    training, pruner = begun(Regrow(growth="gradient", until=0.2))
    advance(training, 6)
    old = {name: active.clone() for name, active in pruner.active.items()}
    before = weights(training)
    advance(training, 1)
    for name, weight in weights(training).items():
        assert torch.equal(old[name], pruner.active[name])
        assert not torch.equal(weight, before[name])


@GROWTHS
def test_a_rising_rate_ends_at_exactly_what_is_kept(growth: Growth) -> None:
    rate = Curve(kind="cubic", end=1.0, until=0.75)
    schedule = Schedule(beta=Curve(), interval=2, rate=rate)
    training, pruner = begun(Regrow(growth=growth, until=0.4), schedule=schedule)
    assert int(pruner.active["0.weight"].sum()) == 54
    training.run()
    assert {name: int(active.sum()) for name, active in pruner.active.items()} == WEIGHTS
    assert int((training.model.get_parameter("0.weight") != 0).sum()) == 20


@GROWTHS
def test_the_same_training_gives_the_same_bits(growth: Growth) -> None:
    states: list[bytes] = []
    for _ in range(2):
        training, _ = begun(Regrow(growth=growth))
        training.run()
        states.append(State.of(training.model, training.optimizer).to_bytes())
    assert states[0] == states[1]


def test_masks_are_no_parameters_and_no_state() -> None:
    training, pruner = begun(Regrow())
    training.run()
    state = State.of(training.model, training.optimizer)
    assert set(state.tensors) == set(State.of(network()).tensors)
    assert not list(pruner.companion.parameters())


def test_filters_are_refused() -> None:
    model = network()
    with pytest.raises(ConfigError, match="single weights"):
        Training.begin(Regrow(), filter_plan(model, Schedule(), 2, 2), model)


@pytest.mark.parametrize("fields", [{"fraction": 1.5}, {"fraction": -0.1}, {"until": 0.0}])
def test_impossible_settings_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="needs"):
        plugins.from_table(Regrow, fields, "rule")
