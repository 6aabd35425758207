"""Straight-through: the network that is pruned gives the gradient, and all weights take it."""

import math
from itertools import pairwise
from typing import Literal

import pytest
import torch
from sparse_training import WEIGHTS, Training, batch, filter_plan, network, weight_plan
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas.genome.schedule import Curve, Schedule
from evonas.state import State
from evonas_trainers.pruning.straight_through import StraightThrough

CUBIC = Curve(kind="cubic", end=1.0, until=0.75)
SCHEDULE = Schedule(rate=CUBIC, interval=2, momentum_reset=False, regrowth_cap=0)


def literal_masks(weights: dict[str, Tensor], rate: float, keep: int) -> dict[str, Tensor]:
    """Return the masks of the largest weights of all tensors, weight by weight."""
    ranked = sorted(
        (abs(value), name, place)
        for name, weight in weights.items()
        for place, value in enumerate(weight.flatten().tolist())
    )
    masks = {name: torch.ones(weight.numel()) for name, weight in weights.items()}
    for _, name, place in ranked[: math.floor(rate * (len(ranked) - keep) + 1e-9)]:
        masks[name][place] = 0
    return {name: mask.view_as(weights[name]) for name, mask in masks.items()}


def literal_training(model: nn.Module, optimizer: Literal["sgd", "adamw"]) -> dict[str, Tensor]:
    """Train dense weights by gradients of f(w + sg(w m - w)); return w m after 12 steps."""
    inputs, targets = batch()
    if optimizer == "sgd":
        steps = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    else:
        steps = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    weights = {name: model.get_parameter(name) for name in WEIGHTS}
    masks = {name: torch.ones_like(weight) for name, weight in weights.items()}
    for step in range(12):
        through = {name: w + (w * masks[name] - w).detach() for name, w in weights.items()}
        steps.zero_grad()
        F.cross_entropy(functional_call(model, through, (inputs,)), targets).backward()
        steps.step()
        if step % 2 == 0:
            dense = {name: weight.detach() for name, weight in weights.items()}
            masks = literal_masks(dense, CUBIC.at(step / 12), sum(WEIGHTS.values()))
    return {name: weight.detach() * masks[name] for name, weight in weights.items()}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_weights_move_as_in_a_literal_training(optimizer: Literal["sgd", "adamw"]) -> None:
    model = network()
    Training.begin(StraightThrough(), weight_plan(model, SCHEDULE), model, optimizer).run()
    for name, expected in literal_training(network(), optimizer).items():
        torch.testing.assert_close(model.get_parameter(name).detach(), expected)


def test_whoever_looks_between_steps_sees_the_pruned_network() -> None:
    model, seen = network(), list[int]()
    training = Training.begin(StraightThrough(), weight_plan(model, SCHEDULE), model)
    training.run(lambda: seen.append(sum(num_zeros(model))))
    events = [math.floor(CUBIC.at(step / 12) * (270 - 80) + 1e-9) for step in range(0, 12, 2)]
    assert seen == [number for number in events for _ in range(2)]


def num_zeros(model: nn.Module) -> list[int]:
    return [int((model.get_parameter(name) == 0).sum()) for name in WEIGHTS]


def test_what_is_handed_over_is_what_was_shown_last() -> None:
    model = network()
    training = Training.begin(StraightThrough(), weight_plan(model, SCHEDULE), model)
    shown: list[Tensor] = []
    training.run(lambda: shown.append(model.get_parameter("3.weight").detach().clone()))
    assert torch.equal(model.get_parameter("3.weight"), shown[-1])


def test_a_training_that_was_stopped_is_pruned_to_the_end() -> None:
    model = network()
    training = Training.begin(StraightThrough(), weight_plan(model, SCHEDULE), model)
    training.backward()
    training.step()
    training.pruner.finish(training.optimizer)
    assert sum(num_zeros(model)) == 270 - 80


def test_a_global_ranking_keeps_the_sum_of_the_counts() -> None:
    model = network()
    Training.begin(StraightThrough(), weight_plan(model, SCHEDULE), model).run()
    assert sum(num_zeros(model)) == 270 - 80


def test_a_ranking_by_layer_keeps_each_count() -> None:
    model = network()
    plan = weight_plan(model, SCHEDULE)
    Training.begin(StraightThrough(ranking="layer"), plan, model).run()
    assert num_zeros(model) == [54 - 20, 216 - 60]


def test_pruned_weights_come_back() -> None:
    model = network()
    schedule = Schedule(interval=2, momentum_reset=False)
    training = Training.begin(StraightThrough(), weight_plan(model, schedule), model)
    pruned: list[Tensor] = []
    training.run(lambda: pruned.append(model.get_parameter("3.weight") == 0))
    assert bool((pruned[0] & ~pruned[-1]).any())


def test_what_is_pruned_stays_pruned_while_beta_is_zero() -> None:
    model = network()
    schedule = Schedule(beta=Curve(), interval=1, rate=CUBIC)
    training = Training.begin(StraightThrough(), weight_plan(model, schedule), model)
    pruned: list[Tensor] = []
    training.run(lambda: pruned.append(model.get_parameter("3.weight") == 0))
    for before, after in pairwise(pruned):
        assert not bool((before & ~after).any())


def test_a_part_of_the_pruned_weights_is_shown_while_alpha_is_above_zero() -> None:
    model = network()
    alpha = Curve(kind="linear", start=0.5, until=0.5)
    schedule = Schedule(alpha=alpha, beta=Curve(), interval=1, momentum_reset=False)
    plan = weight_plan(model, schedule, {"3.weight": 100})
    training = Training.begin(StraightThrough(), plan, model)
    training.backward()
    training.pruner.before_step(training.optimizer, 0.0)
    training.optimizer.step()
    dense = model.get_parameter("3.weight").detach().clone()
    training.pruner.after_step(training.optimizer, 0.0)
    shown = model.get_parameter("3.weight").detach() / dense
    assert int(torch.isclose(shown, torch.tensor(0.5)).sum()) == 116
    assert int((shown == 1).sum()) == 100


def test_a_pruned_filter_still_learns() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("1.bias").fill_(0.7)
    training = Training.begin(StraightThrough(), filter_plan(model, SCHEDULE, 2, 3), model)
    while training.done < 10:
        training.backward()
        training.step()
    training.backward()
    weight = model.get_parameter("0.weight")
    gone = (weight == 0).flatten(1).all(1)
    assert int(gone.sum()) == 3
    assert weight.grad is not None
    assert bool((weight.grad[gone] != 0).flatten(1).any(1).all())


def test_everything_of_a_pruned_filter_is_zero_in_the_end() -> None:
    model = network()
    training = Training.begin(StraightThrough(), filter_plan(model, SCHEDULE, 2, 3), model)
    training.run()
    gone = (model.get_parameter("0.weight") == 0).flatten(1).all(1)
    assert int(gone.sum()) == 4
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(model.get_parameter(name) == 0, gone)
    assert bool((model.get_parameter("3.weight")[:, gone] == 0).all())
    momentum = training.optimizer.state[model.get_parameter("0.weight")]["momentum_buffer"]
    assert bool((momentum[gone] == 0).all())


def test_the_gradient_of_pruned_filters_is_capped() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("1.bias").fill_(0.7)
    schedule = Schedule(interval=1, regrowth_cap=1)
    training = Training.begin(StraightThrough(), filter_plan(model, schedule, 3, 4), model)
    training.backward()
    training.step()
    training.backward()
    weight = model.get_parameter("0.weight")
    gone = (weight == 0).flatten(1).all(1)
    assert weight.grad is not None
    before = weight.grad.flatten(1).norm(dim=1)
    training.step()
    after = weight.grad.flatten(1).norm(dim=1)
    assert float(before[gone].max()) > 10 * float(before[~gone].mean())
    torch.testing.assert_close(after[gone], before[~gone].mean().expand(3))
    assert torch.equal(after[~gone], before[~gone])


def test_masks_are_no_parameters_and_no_state() -> None:
    model = network()
    names = set(State.of(model).tensors)
    training = Training.begin(StraightThrough(), weight_plan(model, SCHEDULE), model)
    training.run()
    assert set(State.of(model, training.optimizer).tensors) == names
    assert not list(training.pruner.companion.parameters())


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_same_training_gives_the_same_bits(optimizer: Literal["sgd", "adamw"]) -> None:
    states: list[bytes] = []
    for _ in range(2):
        model = network()
        plan = weight_plan(model, SCHEDULE)
        training = Training.begin(StraightThrough(), plan, model, optimizer)
        training.run()
        states.append(State.of(model, training.optimizer).to_bytes())
    assert states[0] == states[1]


def test_channels_last_weights_keep_their_layout() -> None:
    model = network().to(memory_format=torch.channels_last)
    Training.begin(StraightThrough(), weight_plan(model, SCHEDULE), model).run()
    weight = model.get_parameter("3.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_criterion_for_filters_cannot_rank_single_weights() -> None:
    model = network()
    plan = weight_plan(model, Schedule(criterion="bn-scale"))
    with pytest.raises(ConfigError, match="ranks filters"):
        Training.begin(StraightThrough(), plan, model)
