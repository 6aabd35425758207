"""Rollouts that branch off: how long, from where, to where, and what is kept of them."""

import pytest
import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.dynamics.branching import (
    Branching,
    Ends,
    Imagined,
    Memory,
    World,
    columns_in,
    columns_out,
)
from evonas_trainers.reinforcement.dynamics.ends import NEVER, ends_of
from evonas_trainers.reinforcement.dynamics.gaussian import EnsembleSettings, ProbabilisticEnsemble
from evonas_trainers.reinforcement.dynamics.network import Shape
from evonas_trainers.reinforcement.dynamics.ranks import rank_correlation
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.replay import Batch

CPU = torch.device("cpu")
FACTS = Facts((4,), 1, (-3.0,), (3.0,))


def drawing(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def never(observations: Tensor, actions: Tensor, reached: Tensor) -> Tensor:
    return ends_of("any", {}, NEVER, FACTS)(observations, actions, reached)


def still(observations: Tensor) -> Tensor:
    return torch.zeros(len(observations), 1)


def world(ends: Ends = never) -> World:
    shape = Shape(members=3, width=8, depth=1, activation="silu")
    ensemble = ProbabilisticEnsemble(3, 3, EnsembleSettings(shape=shape), drawing(), CPU)
    return World(ensemble, ends, drawing(1))


def imagined(number: int, value: float) -> Imagined:
    whole = torch.full((number,), value)
    rows = whole[:, None].expand(-1, 2)
    return Imagined(Batch(rows, whole[:, None], whole, rows, whole > 9), whole)


@pytest.mark.parametrize(
    ("step", "length"), [(0, 1), (100, 1), (149, 1), (150, 2), (300, 5), (999, 5)]
)
def test_rollouts_get_longer_between_two_steps(step: int, length: int) -> None:
    growing = Branching(length=1, last_length=5, growth_begin=100, growth_end=300)
    assert growing.length_at(step) == length


def test_rollouts_of_one_length_never_change() -> None:
    assert {Branching(length=3, last_length=3).length_at(step) for step in range(0, 2000, 7)} == {3}


@pytest.mark.parametrize(
    "wrong", [{"interval": 0}, {"length": 0}, {"growth_begin": 5, "growth_end": 5}]
)
def test_a_branching_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Branching(**wrong)


def test_each_step_goes_on_where_the_one_before_led() -> None:
    first, second, third = world().imagine(still, torch.randn(5, 2, generator=drawing()), 3)
    assert torch.equal(first.batch.next_observations, second.batch.observations)
    assert torch.equal(second.batch.next_observations, third.batch.observations)
    assert third.disagreement.shape == (5,)
    assert (third.disagreement > 0).all()


def test_a_rollout_that_is_over_goes_no_further() -> None:
    def left(observations: Tensor, actions: Tensor, reached: Tensor) -> Tensor:
        del actions, reached
        return observations[:, 0] < 0

    starts = torch.tensor([[-1.0, 0.0], [100.0, 0.0], [-1.0, 0.0]])
    first, second = world(left).imagine(still, starts, 2)
    assert first.batch.terminated.tolist() == [True, False, True]
    assert len(second.batch.rewards) == 1


def test_where_all_rollouts_are_over_there_are_no_more_steps() -> None:
    def at_once(observations: Tensor, actions: Tensor, reached: Tensor) -> Tensor:
        del actions, reached
        return torch.ones(len(observations), dtype=torch.bool)

    assert len(world(at_once).imagine(still, torch.zeros(4, 2), 7)) == 1


def test_what_is_imagined_out_of_all_bounds_is_a_divergence() -> None:
    with pytest.raises(FloatingPointError, match="not finite"):
        world().imagine(still, torch.full((2, 2), torch.inf), 1)


def test_the_ensemble_tells_the_reward_and_the_change() -> None:
    seen, reached = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.5, 1.0]])
    batch = Batch(seen, torch.tensor([[0.5]]), torch.tensor([7.0]), reached, torch.tensor([False]))
    assert columns_in(batch.observations, batch.actions).tolist() == [[1.0, 2.0, 0.5]]
    assert columns_out(batch).tolist() == [[7.0, 0.5, -1.0]]


def test_what_was_imagined_too_long_ago_is_forgotten() -> None:
    memory = Memory(2)
    for value in (1.0, 2.0, 3.0):
        memory.add([imagined(4, value), imagined(2, value)])
    drawn = memory.sample(200, drawing())
    assert len(memory) == 12
    assert set(drawn.disagreement.tolist()) == {2.0, 3.0}
    assert torch.equal(drawn.batch.rewards, drawn.disagreement), "rows stay together"


def test_ends_take_actions_of_the_environment() -> None:
    seen = torch.zeros(3, 2)
    reached = torch.tensor([[0.5, 0.01], [0.5, -0.01], [0.2, 0.01]])
    ends = ends_of("MountainCarContinuous-v0", {}, None, Facts((2,), 1, (-1.0,), (1.0,)))
    assert ends(seen, torch.zeros(3, 1), reached).tolist() == [True, False, False]


def test_ends_that_nobody_knows_are_refused() -> None:
    with pytest.raises(ConfigError, match="not known"):
        ends_of("Ant-v5", {}, None, FACTS)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1.0, 2.0, 3.0], [1.0, 10.0, 11.0], 1.0),
        ([1.0, 2.0, 3.0], [3.0, 2.0, -5.0], -1.0),
        ([1.0, 1.0, 2.0, 2.0], [1.0, 2.0, 1.0, 2.0], 0.0),
        ([4.0, 4.0, 4.0], [1.0, 2.0, 3.0], 0.0),
        ([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0], 0.6),
    ],
)
def test_ranks_correlate(one: list[float], other: list[float], expected: float) -> None:
    found = rank_correlation(torch.tensor(one), torch.tensor(other))
    assert found == pytest.approx(expected)
