"""Soft pruning does what its equations say, a filter at a time."""

from collections.abc import Callable

import pytest
import torch
from literal_pruning import LiteralPruning
from planned_network import SECOND, backward, coupled, in_a_row, network, plan, split
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW, Optimizer

from evonas.errors import ConfigError
from evonas.genome.schedule import Curve, Schedule
from evonas.pruning_plan import PlannedGroup
from evonas_trainers.pruning.presets import Asfp, Asrfp, Ghfp, Gradual, Hfp, Sfp, Srfp
from evonas_trainers.pruning.soft import Soft, SoftPruner, num_pruned

STEPS = 24


def sgd(model: nn.Module) -> Optimizer:
    return SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2, nesterov=True)


def adamw(model: nn.Module) -> Optimizer:
    # With a smaller eps it would make steps of rounding errors, where the gradient is 0.
    return AdamW(model.parameters(), lr=0.01, weight_decay=0.1, eps=1e-4)


def started(model: nn.Module, schedule: Schedule, groups: list[PlannedGroup]) -> SoftPruner:
    return Soft().start(model, plan(schedule, groups), torch.Generator())


def trained(
    model: nn.Module,
    optimizer: Optimizer,
    pruner: SoftPruner,
    steps: int,
    after: Callable[[int], None] = lambda _: None,
) -> None:
    dtype = next(model.parameters()).dtype
    for step in range(steps):
        backward(model, step, dtype)
        pruner.before_step(optimizer, step / steps)
        optimizer.step()
        pruner.after_step(optimizer, step / steps)
        after(step)


SCHEDULES = {
    "hfp": Hfp(interval=5).schedule(),
    "gradual": Gradual(interval=3).schedule(),
    "sfp": Sfp(interval=3).schedule(),
    "sfp-as-published": Sfp(interval=3, regrowth_cap=0, momentum_reset=False).schedule(),
    "sfp-late": Sfp(interval=4, begin=0.3, regrowth_cap=4).schedule(),
    "asfp": Asfp(interval=2).schedule(),
    "srfp": Srfp(interval=3, regrowth_cap=0).schedule(),
    "asrfp": Asrfp(interval=3).schedule(),
    "ghfp": Ghfp(interval=3).schedule(),
    "ghfp-on-asrfp": Ghfp(interval=3, base="asrfp").schedule(),
    "frozen-then-decayed": Schedule(
        alpha=Curve(kind="linear", start=1.0, until=0.5), beta=Curve(end=0.0), interval=3
    ),
}


@pytest.mark.parametrize("groups", [in_a_row(), split(), coupled()], ids=["plain", "split", "sum"])
@pytest.mark.parametrize("make", [sgd, adamw])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_does_what_the_literal_loop_does(
    name: str, make: Callable[[nn.Module], Optimizer], groups: list[PlannedGroup]
) -> None:
    model, copy = network().double(), network().double()
    literal = LiteralPruning(copy, SCHEDULES[name], groups)
    pruner = started(model, SCHEDULES[name], groups)
    optimizer, other = make(model), make(copy)

    def follow(step: int) -> None:
        backward(copy, step, torch.float64)
        literal.before_step(step / STEPS)
        other.step()
        literal.after_step(other, step / STEPS)
        for key, parameter in model.named_parameters():
            torch.testing.assert_close(parameter, copy.get_parameter(key), rtol=1e-9, atol=1e-12)

    trained(model, optimizer, pruner, STEPS, follow)
    assert sum(map(len, literal.pruned)) == pruner.events[-1].pruned > 0


@pytest.mark.parametrize("make", [sgd, adamw])
def test_hard_filters_stay_bit_for_bit_what_they_are(
    make: Callable[[nn.Module], Optimizer],
) -> None:
    model = network()
    pruner = started(model, Hfp(interval=4).schedule(), in_a_row())
    pruned: list[torch.Tensor] = []

    def look(_: int) -> None:
        is_zero = [model.get_parameter("0.weight").flatten(1).eq(0).all(1)]
        is_zero += [model.get_parameter(name).eq(0) for name in ("0.bias", "1.weight", "1.bias")]
        assert all(torch.equal(zero, is_zero[0]) for zero in is_zero)
        pruned.append(is_zero[0])

    trained(model, make(model), pruner, 20, look)
    assert int(pruned[0].sum()) == 4
    assert all(torch.equal(zero, pruned[0]) for zero in pruned)


def test_a_soft_filter_comes_back_between_events() -> None:
    model = network()
    pruner = started(model, Sfp(interval=100).schedule(), in_a_row())
    alive: list[int] = []

    def look(_: int) -> None:
        alive.append(int(model.get_parameter("0.weight").flatten(1).norm(dim=1).gt(0).sum()))

    trained(model, sgd(model), pruner, 6, look)
    assert alive[5] > alive[0] == 4


@pytest.mark.parametrize("beta", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("make", [sgd, adamw])
def test_pruned_filters_take_beta_of_the_real_step(
    make: Callable[[nn.Module], Optimizer], beta: float
) -> None:
    model = network(is_normed=False)
    schedule = Schedule(
        alpha=Curve(kind="linear", start=1.0, until=0.75),
        beta=Curve(end=beta),
        regrowth_cap=0,
        interval=100,
    )
    pruner = started(model, schedule, in_a_row(is_normed=False))
    optimizer, weight = make(model), model.get_parameter("0.weight")
    trained(model, optimizer, pruner, 1)
    backward(model, 1)
    before = weight.detach().clone()
    pruner.before_step(optimizer, 0.0)
    optimizer.step()
    taken = weight.detach().clone()
    pruner.after_step(optimizer, 0.0)
    norms = [(step - taken).flatten(1).norm(dim=1) for step in (weight.detach(), before)]
    shares = 1 - norms[0] / norms[1]
    assert sorted(shares.tolist()) == pytest.approx([beta] * 4 + [1.0] * 4, abs=1e-5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_in_the_end_exactly_what_is_kept_is_left(name: str) -> None:
    model = network()
    optimizer = adamw(model)
    pruner = started(model, SCHEDULES[name], in_a_row(3, 2))
    trained(model, optimizer, pruner, 10)
    pruner.finish(optimizer)
    assert pruner.events[-1].pruned == (8 - 3) + (6 - 2)
    first = model.get_parameter("0.weight").flatten(1).ne(0).any(1)
    second = model.get_parameter("4.weight").ne(0)
    assert (int(first.sum()), int(second.sum())) == (3, 2)
    for key in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(model.get_parameter(key).ne(0), first)
    weight = model.get_parameter("3.weight").flatten(2).ne(0).any(2)
    assert torch.equal(weight, second[:, None] & first)
    classifier = model.get_parameter("8.weight").unflatten(1, (SECOND, 4)).ne(0).any(2).any(0)
    assert torch.equal(classifier, second)


def test_in_the_end_nothing_is_left_in_the_optimizer_of_what_is_pruned() -> None:
    model = network()
    optimizer = adamw(model)
    pruner = started(model, Ghfp(interval=3).schedule(), in_a_row())
    trained(model, optimizer, pruner, 10)
    pruner.finish(optimizer)
    for parameter in model.parameters():
        for slot in ("exp_avg", "exp_avg_sq"):
            assert not optimizer.state[parameter][slot][parameter.detach() == 0].any()
        assert float(optimizer.state[parameter]["step"]) == 10


@pytest.mark.parametrize("name", ["hfp", "gradual", "ghfp", "ghfp-on-asrfp"])
def test_the_end_takes_what_is_hard_first(name: str) -> None:
    model = network()
    pruner = started(model, SCHEDULES[name], in_a_row())
    optimizer = sgd(model)
    trained(model, optimizer, pruner, 20)
    hard = model.get_parameter("0.weight").flatten(1).eq(0).all(1)
    assert int(hard.sum()) == 4
    model.get_parameter("0.weight").data[hard] = 100.0
    pruner.finish(optimizer)
    assert model.get_parameter("0.weight").detach()[hard].eq(0).all()


def test_a_pruned_channel_that_is_removed_changes_nothing() -> None:
    model = network()
    optimizer = sgd(model)
    pruner = started(model, Sfp(interval=4).schedule(), in_a_row())
    trained(model, optimizer, pruner, 12)
    pruner.finish(optimizer)
    model.eval()
    kept = model.get_parameter("0.weight").flatten(1).ne(0).any(1)
    inputs = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    features = model[:3](inputs)
    assert not features[:, ~kept].any()
    small = F.conv2d(features[:, kept], model.get_parameter("3.weight")[:, kept])
    torch.testing.assert_close(model[4:](small), model(inputs))


def test_events_come_every_interval_from_the_beginning_on() -> None:
    model = network()
    pruner = started(model, Sfp(interval=4, begin=0.35).schedule(), in_a_row())
    trained(model, sgd(model), pruner, 20)
    assert [event.progress for event in pruner.events] == [0.4, 0.6, 0.8]
    assert [event.pruned for event in pruner.events] == [7, 7, 7]
    assert pruner.events[0].churn == pytest.approx(7 / 14)


@pytest.mark.parametrize(
    ("rate", "size", "keep", "expected"),
    [(1 - 0.9, 11, 1, 1), (0.8, 25, 5, 16), (1.0, 512, 1, 511), (0.999, 20, 4, 15), (0, 9, 3, 0)],
)
def test_counts_are_rounded_down_and_safe_from_floats(
    rate: float, size: int, keep: int, expected: int
) -> None:
    assert num_pruned(rate, size, keep) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 10, 20, 49, 512])
def test_a_rate_that_is_a_share_of_channels_prunes_just_these(size: int) -> None:
    assert [num_pruned(part / size, size + 1, 1) for part in range(size + 1)] == [*range(size + 1)]


def test_channels_last_weights_stay_so() -> None:
    model = network().to(memory_format=torch.channels_last)
    optimizer = sgd(model)
    pruner = started(model, Ghfp(interval=3).schedule(), in_a_row())
    trained(model, optimizer, pruner, 8)
    pruner.finish(optimizer)
    weight = model.get_parameter("3.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert int(weight.flatten(2).ne(0).any(2).any(1).sum()) == 3


def test_a_plan_that_prunes_nothing_is_no_pruning() -> None:
    model, free = network(), network()
    optimizer, other = sgd(model), sgd(free)
    pruner = started(model, Sfp(interval=1).schedule(), in_a_row(8, 6))
    trained(model, optimizer, pruner, 3)
    pruner.finish(optimizer)
    for step in range(3):
        backward(free, step)
        other.step()
    pairs = zip(model.parameters(), free.parameters(), strict=True)
    assert all(torch.equal(mine, expected) for mine, expected in pairs)


def test_single_weights_are_refused() -> None:
    with pytest.raises(ConfigError, match="the rule 'soft' prunes filters"):
        started(network(), Schedule(granularity="weight"), in_a_row())
