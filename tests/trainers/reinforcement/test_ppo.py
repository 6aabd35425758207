"""Proximal policy optimisation: the clip, and that it learns."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.policies import candidate, context, train
from support.tiny_environments import HERE

from evonas.errors import ConfigError
from evonas.models import fresh_model
from evonas_spaces.mlp import Mlp
from evonas_trainers.reinforcement import ppo
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.ppo import Ppo, clipped_objective
from evonas_trainers.reinforcement.scores import Judging

AIM, CORRIDOR, BROKEN, WAGE = (
    f"{HERE}:{name}-v0" for name in ("Aim", "Corridor", "Broken", "Wage")
)
SHORT = Judging(times=2, episodes=4, low=0.0, high=1.0)


@pytest.mark.parametrize(
    ("ratio", "advantage", "objective", "slope"),
    [
        (1.1, 2.0, 2.2, 2.0),
        (1.5, 2.0, 2.4, 0.0),
        (0.5, 2.0, 1.0, 2.0),
        (0.5, -2.0, -1.6, 0.0),
        (1.5, -2.0, -3.0, -2.0),
    ],
)
def test_only_gains_beyond_the_clip_are_cut(
    ratio: float, advantage: float, objective: float, slope: float
) -> None:
    at = torch.tensor([ratio], requires_grad=True)
    found = clipped_objective(at, torch.tensor([advantage]), 0.2)
    found.backward()
    assert found.item() == pytest.approx(objective)
    assert at.grad is not None
    assert at.grad.item() == pytest.approx(slope)


def test_actions_end_at_the_walls_of_the_box() -> None:
    facts = Facts((1,), 1, (0.0,), (4.0,))
    units = torch.tensor([[-3.0], [0.0], [9.0]])
    assert torch.equal(ppo.taken(units, facts), torch.tensor([[0.0], [2.0], [4.0]]))


def test_continuous_actions_find_their_aim() -> None:
    """The best action is linear in what is seen; always taking the middle misses it by 1."""
    judging = Judging(times=1, episodes=32, low=-1.0, high=0.0)
    trainer = Ppo(
        environment=AIM, steps=4096, trials=1, judging=judging, lr=3e-3, reward_scale=1.0,
        entropy_price=0.0,
    )  # fmt: skip
    trained, _ = train(trainer)
    assert trained.metrics["area"] > 0.75


def test_choices_lead_through_a_corridor() -> None:
    """Chance ends 1 of 2 episodes in time; the quickest way alone is not needed."""
    judging = Judging(times=2, episodes=8, low=0.0, high=1.0)
    trainer = Ppo(
        environment=CORRIDOR, steps=2048, trials=1, judging=judging, reward_scale=1.0, lr=3e-3
    )
    trained, _ = train(trainer)
    assert trained.metrics["final_return"] == 1.0


@pytest.mark.slow
def test_a_pole_is_held_up() -> None:
    """Random pushes hold it for 24 steps; what is learned, for hundreds."""
    trained, model = train(Ppo(environment="CartPole-v1", steps=16_384, trials=1))
    assert trained.metrics["area"] > 0.25
    tested = Ppo(environment="CartPole-v1").test(model, context(Ppo(environment="CartPole-v1")))
    assert tested["return"] > 200


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"length": 1}, 0.5), ({"length": 1000, "max_episode_steps": 1}, 1.0)],
    ids=["end", "cut"],
)
def test_the_critic_expects_nothing_after_an_end_and_more_after_a_cut(
    options: dict[str, int], expected: float
) -> None:
    """Every step pays 1, which counts half; and what comes after it, half of that again."""
    judging = Judging(times=1, episodes=1, low=0.0, high=1.0)
    trainer = Ppo(
        environment=WAGE, options=options, steps=512, trials=1, judging=judging, parallel=4,
        horizon=4, lr=1e-2, reward_scale=0.5, discount=0.5,
    )  # fmt: skip
    _, model = train(trainer)
    found = model.get_submodule("critic")(torch.ones(1, 1)).item()
    assert found == pytest.approx(expected, abs=0.1)


def test_before_its_first_step_a_policy_with_batch_norms_is_the_one_that_acted() -> None:
    trainer = Ppo(
        environment=CORRIDOR, steps=256, trials=1, judging=replace(SHORT, times=1), epochs=1
    )
    space = Mlp(hidden=8, layers=1, batch_norm=True)
    model = fresh_model(space, space.seed(trainer.signatures(trainer.prepare(0))), 0)
    trained = trainer.train(model, context(trainer))
    assert trained.metrics["divergence"] == pytest.approx(0.0, abs=1e-6)


def test_judging_leaves_the_training_as_it_is() -> None:
    trainer = Ppo(environment=CORRIDOR, steps=512, judging=SHORT)
    often = replace(trainer, judging=replace(SHORT, times=1, episodes=1))
    states = [train(one)[0].state for one in (trainer, often)]
    first, second = [state.tensors for state in states if state is not None]
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_no_more_steps_are_made_than_were_given() -> None:
    trainer = Ppo(environment=CORRIDOR, steps=1000, trials=1, judging=SHORT)
    trained, _ = train(trainer)
    assert trained.samples == 768, "three rounds of 8 environments and 32 steps"


def test_a_child_goes_on_with_the_moments_of_its_parent() -> None:
    trainer = Ppo(environment=CORRIDOR, steps=512, trials=1, judging=SHORT, batch_size=64)
    parent = train(trainer)[0].state
    assert parent is not None
    child = train(trainer, inherited=parent)[0].state
    assert child is not None
    steps = [state.slots["step"] for state in (parent, child)]
    for name, before in steps[0].items():
        assert before == 32
        assert steps[1][name] == 64


def test_the_two_trials_of_a_candidate_differ() -> None:
    trained, _ = train(Ppo(environment="CartPole-v1", steps=1024, judging=Judging(times=2)))
    assert trained.metrics["return_range"] > 0


def test_a_reward_that_is_no_number_is_a_divergence() -> None:
    options = {"how": "nan reward"}
    trainer = Ppo(environment=BROKEN, options=options, steps=512, judging=SHORT)
    with pytest.raises(FloatingPointError, match=r"a reward of .*Broken-v0"):
        train(trainer)


def test_a_learning_rate_without_bounds_is_a_divergence() -> None:
    with pytest.raises(FloatingPointError):
        train(Ppo(environment=CORRIDOR, steps=512, judging=SHORT, lr=1e38))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"parallel": 0}, "parallel is 0, should be 1 or more"),
        ({"lr": 0.0}, "lr is 0.0, should be more than 0"),
        ({"discount": 1.5}, "discount is 1.5, should be 0 to 1"),
        ({"steps": 1000}, "there are 3 rounds of training for 8 evaluations; give more steps"),
    ],
)
def test_fields_out_of_range_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Ppo(environment="CartPole-v1", **fields)


def test_an_environment_without_a_scale_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(ConfigError, match="have no scale"):
        Ppo(environment=CORRIDOR).prepare(0)


def test_continuous_actors_have_a_mean_and_a_deviation_for_each_number() -> None:
    trainer = Ppo(environment=AIM, judging=SHORT)
    signatures = trainer.signatures(trainer.prepare(0))
    assert signatures["actor"].outputs == (2,)
    assert signatures["critic"].outputs == (1,)
    assert candidate(trainer)
