"""Known rewards and ends are those of the very environments."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from evonas.errors import ConfigError
from evonas.trust import check_run_file
from evonas_trainers.reinforcement.controllers import CONTROLLERS, controller
from evonas_trainers.reinforcement.dynamics.data_set import noisy, uniform
from evonas_trainers.reinforcement.environments import Environments
from evonas_trainers.reinforcement.known import OUTCOMES, known
from evonas_trainers.reinforcement.scores import KNOWN, episode_returns


@pytest.mark.parametrize("environment", sorted(OUTCOMES))
def test_the_known_outcome_is_that_of_the_environment(environment: str) -> None:
    options = OUTCOMES[environment].options
    outcome = known(environment, options)
    ended = 0
    with Environments(environment, 4, 0, options) as running:
        act = uniform(running.facts.actions, 1)
        for _ in range(120):
            seen = running.current
            actions = running.facts.scaled(act(seen))
            transition = running.step(actions)
            rewards, over = outcome(seen, actions, transition.observations)
            assert torch.allclose(rewards, transition.rewards, rtol=1e-3, atol=2e-3)
            assert torch.equal(over, transition.terminated)
            ended += int(over.sum())
    assert ended or environment in ENDLESS


ENDLESS = {"HalfCheetah-v5", "MountainCarContinuous-v0", "Pendulum-v1", "Swimmer-v5"}
"""Where random actions of 120 steps end nothing."""


def test_a_car_on_the_hill_is_paid_and_done() -> None:
    ends = torch.zeros(0, dtype=torch.bool)
    outcome = known("MountainCarContinuous-v0", {})
    with Environments("MountainCarContinuous-v0", 2, 0) as running:
        for _ in range(400):
            seen = running.current
            actions = controller("MountainCarContinuous-v0")(seen)
            transition = running.step(actions)
            rewards, over = outcome(seen, actions, transition.observations)
            assert torch.allclose(rewards, transition.rewards, atol=1e-4)
            assert torch.equal(over, transition.terminated)
            ends = torch.cat([ends, over])
    assert ends.any()


def test_an_unknown_environment_says_what_to_give() -> None:
    with pytest.raises(ConfigError, match=r"'Ant-v5' are not known.*give `known` the `module:func"):
        known("Ant-v5", {})


@pytest.mark.parametrize(
    ("environment", "options"),
    [("HalfCheetah-v5", {}), ("Pendulum-v1", {"g": 3.0})],
)
def test_an_environment_made_otherwise_is_not_known(
    environment: str, options: Mapping[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"are known with options"):
        known(environment, options)


def test_a_user_may_bring_an_outcome() -> None:
    code = "evonas_trainers.reinforcement.known:known"
    assert known("Ant-v5", {}, code) is known


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("evonas_trainers.reinforcement.known:HARMLESS", "name a function"),
        ("evonas_trainers.reinforcement.known:nothing", "cannot import"),
        ("nothing", "names no code"),
    ],
)
def test_an_outcome_that_is_no_function_is_refused(code: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        known("Pendulum-v1", {}, code)


def test_an_outcome_in_a_strangers_run_file_is_named_as_code(tmp_path: Path) -> None:
    table = {"trainer": {"name": "bremen", "known": "their.rewards:outcome"}}
    with pytest.raises(ConfigError, match=r"names code: 'their\.rewards:outcome'"):
        check_run_file(tmp_path, table)


@pytest.mark.parametrize("environment", sorted(CONTROLLERS))
def test_a_controller_is_nearly_good_at_its_task(environment: str) -> None:
    low, high = KNOWN[environment]
    with Environments(environment, 1, 0) as running:
        facts = running.facts
    scripted = controller(environment)
    returns = episode_returns(lambda seen: facts.scaled(scripted(seen)), environment, 4, 0)
    assert returns.mean() > low + 0.85 * (high - low)


def test_a_trembling_controller_stays_in_the_box_and_off_its_course() -> None:
    act = noisy(CONTROLLERS["Pendulum-v1"], 1.5, 0)
    seen = torch.tensor([[1.0, 0.0, 0.5]]).expand(200, 3)
    done = act(seen)
    assert done.abs().max() <= 1
    assert done.std() > 0.3


def test_an_environment_without_a_controller_says_so() -> None:
    with pytest.raises(ConfigError, match="there is no controller for 'Ant-v5'"):
        controller("Ant-v5")
