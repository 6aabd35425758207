"""The replay buffer: the latest steps, whole, drawn alike."""

import pytest
import torch

from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.replay import Batch, Replay

CPU = torch.device("cpu")
VECTOR = Facts((2,), 3)


def filled(capacity: int, batches: list[list[int]]) -> Replay:
    """A buffer of steps each of which has one number everywhere."""
    replay = Replay(capacity, VECTOR, CPU)
    for batch in batches:
        numbers = torch.tensor(batch)
        seen = numbers[:, None].expand(-1, 2).float()
        replay.add(seen, numbers % 3, numbers.float(), seen + 0.5, numbers % 2 == 0)
    return replay


def sampled(replay: Replay, size: int = 400, seed: int = 0) -> Batch:
    return replay.sample(size, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("batches", "kept"),
    [
        ([[0, 1], [2]], {0, 1, 2}),
        ([[0, 1, 2], [3, 4, 5]], {2, 3, 4, 5}),
        ([[0], [1, 2, 3, 4, 5, 6]], {3, 4, 5, 6}),
    ],
)
def test_the_latest_steps_are_kept(batches: list[list[int]], kept: set[int]) -> None:
    replay = filled(4, batches)
    assert len(replay) == len(kept)
    assert set(sampled(replay).rewards.int().tolist()) == kept


def test_a_step_stays_whole() -> None:
    batch = sampled(filled(4, [[0, 1, 2], [3, 4, 5]]))
    numbers = batch.rewards
    assert torch.equal(batch.observations, numbers[:, None].expand(-1, 2))
    assert torch.equal(batch.next_observations, batch.observations + 0.5)
    assert torch.equal(batch.actions, numbers.long() % 3)
    assert torch.equal(batch.terminated, numbers % 2 == 0)


def test_every_step_is_drawn_as_often() -> None:
    counts = torch.bincount(sampled(filled(4, [[0, 1, 2, 3]]), 4000).rewards.long())
    assert counts.sub(1000).abs().max() < 150, "five standard deviations"


def test_the_generator_alone_decides_what_is_drawn() -> None:
    replay = filled(4, [[0, 1, 2, 3]])
    assert torch.equal(sampled(replay, seed=1).rewards, sampled(replay, seed=1).rewards)
    assert not torch.equal(sampled(replay, seed=1).rewards, sampled(replay, seed=2).rewards)


def test_continuous_actions_are_kept_as_numbers() -> None:
    replay = Replay(8, Facts((1,), 2, (-1.0, -1.0), (1.0, 1.0)), CPU)
    actions = torch.tensor([[0.25, -0.75]])
    replay.add(torch.zeros(1, 1), actions, torch.ones(1), torch.ones(1, 1), torch.tensor([False]))
    assert torch.equal(sampled(replay, 1).actions, actions)


def test_pictures_come_back_exactly_from_a_quarter_of_the_memory() -> None:
    replay = Replay(1, Facts((1, 16, 16), 2, is_bytes=True), CPU)
    shades = (torch.arange(256.0) / 255).reshape(1, 1, 16, 16)
    replay.add(shades, torch.zeros(1), torch.zeros(1), shades.flip(3), torch.tensor([False]))
    batch = sampled(replay, 1)
    assert torch.equal(batch.observations, shades)
    assert torch.equal(batch.next_observations, shades.flip(3))
