"""Atari through its own vector: the same transitions, and convolutional policies on pictures."""

from typing import Any

import pytest
import torch

from evonas.models import fresh_model
from evonas.trainer import Context
from evonas_spaces.policy import Policy
from evonas_trainers.reinforcement.dqn import Dqn
from evonas_trainers.reinforcement.environments import Environments, Facts, Transition, facts
from evonas_trainers.reinforcement.ppo import Ppo
from evonas_trainers.reinforcement.scores import Judging

pytest.importorskip("ale_py")
pytestmark = pytest.mark.slow

PONG = "ALE/Pong-v5"
SHORT: dict[str, Any] = {"max_num_frames_per_episode": 40}
JUDGING = Judging(times=1, episodes=1, low=-21.0, high=21.0)


GIVEN: dict[str, Any] = {
    "environment": PONG, "options": SHORT, "steps": 32, "trials": 1, "judging": JUDGING,
    "parallel": 2,
}  # fmt: skip


def steps(seed: int, number: int = 14) -> list[Transition]:
    with Environments(PONG, 2, seed, SHORT) as running:
        return [running.step(torch.tensor([2, 3])) for _ in range(number)]


def test_a_game_is_seen_as_four_pictures_of_grey() -> None:
    assert facts(PONG) == Facts((4, 84, 84), 6, is_bytes=True)


def test_a_cut_episode_keeps_its_last_picture_and_begins_anew() -> None:
    made = steps(0)
    assert any(step.ended.any() for step in made)
    for step in made:
        assert not step.terminated.any(), "nobody has won by then"
        assert step.observations.min() >= 0
        assert step.observations.max() <= 1
        same = (step.observations == step.upcoming).flatten(1).all(1)
        assert torch.equal(same, ~step.ended)


def test_the_seed_alone_decides_how_a_game_goes() -> None:
    first, again, other = ([step.observations for step in steps(seed)] for seed in (0, 0, 1))
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))


@pytest.mark.parametrize(
    "trainer",
    [
        Ppo(**GIVEN, horizon=8, epochs=1),
        Dqn(**GIVEN, warmup=16),
    ],
)
def test_convolutional_policies_learn_from_pictures(trainer: Ppo | Dqn) -> None:
    """That they learn to win takes hours; that weights move and nothing breaks, seconds."""
    prepared, space = trainer.prepare(0), Policy(channels=4)
    model = fresh_model(space, space.seed(trainer.signatures(prepared)), 0)
    before = [parameter.clone() for parameter in model.parameters()]
    context = Context(torch.device("cpu"), torch.float32, 0, prepared, None, lambda *_, **__: None)
    trained = trainer.train(model, context)
    assert trained.samples == trainer.steps
    moved = [not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)]
    assert all(moved)
