"""Environments: every step is a transition, and what is wrong with one is said."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from support.tiny_environments import HERE

from evonas import plugins
from evonas.errors import ConfigError
from evonas.trainer import Trainer
from evonas_trainers.reinforcement.environments import (
    Environments,
    Facts,
    facts,
    require_choices,
    require_numbers,
)

COUNT, DRAWN, BROKEN, SHAPED = (
    f"{HERE}:{name}-v0" for name in ("Count", "Drawn", "Broken", "Shaped")
)
PICTURE = spaces.Box(0, 255, (8, 6, 3), np.uint8)
VECTOR = spaces.Box(-1.0, 1.0, (2,), np.float32)
CHOICE = spaces.Discrete(2)


def ones(number: int = 1) -> torch.Tensor:
    return torch.ones(number, dtype=torch.int64)


def test_every_step_is_acted_and_leads_from_where_one_was() -> None:
    with Environments(COUNT, 1, 0) as running:
        for before in (0, 1, 2, 0, 1, 2, 0):
            assert running.current.item() == before
            step = running.step(ones())
            assert step.rewards.item() == 1, "gymnasium's default ignores an action after an end"
            assert step.observations.item() == before + 1
            assert torch.equal(running.current, step.upcoming)


@pytest.mark.parametrize(
    ("options", "terminated", "truncated"),
    [
        ({"length": 3}, [False, False, True], [False, False, False]),
        ({"length": 9, "max_episode_steps": 2}, [False, False, False], [False, True, False]),
        ({"length": 2, "max_episode_steps": 2}, [False, True, False], [False, True, False]),
    ],
)
def test_an_end_is_told_from_a_cut(
    options: dict[str, Any], terminated: list[bool], truncated: list[bool]
) -> None:
    with Environments(COUNT, 1, 0, options) as running:
        steps = [running.step(ones()) for _ in range(3)]
    assert [step.terminated.item() for step in steps] == terminated
    assert [step.truncated.item() for step in steps] == truncated
    assert [step.ended.item() for step in steps] == [
        one or other for one, other in zip(terminated, truncated, strict=True)
    ]


def test_ends_of_different_times_do_not_mix() -> None:
    with Environments("CartPole-v1", 4, 0) as running:
        for _ in range(60):
            before = running.current
            step = running.step(torch.tensor([0, 1, 0, 1]))
            same = (step.observations == step.upcoming).all(1)
            assert torch.equal(same, ~step.ended)
            moved = before[:, 0] + 0.02 * before[:, 1]
            assert torch.allclose(step.observations[:, 0], moved, atol=1e-6), "x' = x + dt v"


def observed(seed: int) -> torch.Tensor:
    with Environments(DRAWN, 3, seed) as running:
        return torch.stack([running.step(ones(3)).upcoming for _ in range(6)])


def test_the_seed_alone_decides_what_is_drawn() -> None:
    assert torch.equal(observed(1), observed(1))
    assert not torch.equal(observed(1), observed(2))


def test_each_environment_has_draws_of_its_own() -> None:
    assert len(observed(0)[0].unique()) == 3


def test_what_was_seen_is_not_overwritten_by_what_comes_next() -> None:
    with Environments(COUNT, 1, 0) as running:
        first = running.current
        steps = [running.step(ones()) for _ in range(2)]
    assert first.item() == 0
    assert [step.observations.item() for step in steps] == [1, 2]


@pytest.mark.parametrize(
    ("shown", "taken", "expected"),
    [
        (VECTOR, CHOICE, Facts((2,), 2)),
        (VECTOR, spaces.Box(-3.0, 5.0, (1,), np.float32), Facts((2,), 1, (-3.0,), (5.0,))),
        (PICTURE, CHOICE, Facts((3, 8, 6), 2, is_bytes=True)),
        (spaces.Box(0.0, 1.0, (3, 8, 6), np.float32), CHOICE, Facts((3, 8, 6), 2)),
    ],
)
def test_facts_are_those_of_the_spaces(shown: Any, taken: Any, expected: Facts) -> None:
    found = facts(SHAPED, {"shown": shown, "taken": taken})
    assert found == expected
    assert Facts.from_tensors(found.to_tensors()) == found


def test_pictures_come_with_their_channels_first_and_from_0_to_1() -> None:
    shown = spaces.Box(0, 255, (8, 6, 3), np.uint8, seed=0)
    with Environments(SHAPED, 2, 0, {"shown": shown, "taken": CHOICE}) as running:
        step = running.step(ones(2))
    for seen in (running.current, step.observations):
        assert seen.shape == (2, 3, 8, 6)
        assert 0.9 < seen.max() <= 1
        assert torch.equal((seen * 255).round() / 255, seen)


def test_an_action_in_units_reaches_the_walls_of_the_box() -> None:
    known = Facts((1,), 2, (-1.0, 0.0), (3.0, 4.0))
    units = torch.tensor([[-1.0, 0.0], [0.0, 1.0]])
    assert torch.equal(known.scaled(units), torch.tensor([[-1.0, 2.0], [1.0, 4.0]]))


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("CartPol-v1", {}, "unknown environment 'CartPol-v1'; did you mean 'CartPole-v1'"),
        ("CartPole-v7", {}, "unknown environment 'CartPole-v7'; did you mean"),
        ("Nothing-v0", {}, r"gymnasium.pprint_registry\(\)"),
        ("a b", {}, "cannot make the environment 'a b': Malformed environment ID"),
        ("no_module:X-v0", {}, "No module named 'no_module'"),
        ("CartPole-v1", {"wheels": 3}, "unexpected keyword argument 'wheels'"),
        (SHAPED, {"shown": CHOICE, "taken": CHOICE}, "FlattenObservation"),
        (SHAPED, {"shown": spaces.Box(0.0, 1.0, (8, 8)), "taken": CHOICE}, "only vectors and pic"),
        (SHAPED, {"shown": VECTOR, "taken": spaces.Discrete(2, start=1)}, "only choices from 0"),
        (SHAPED, {"shown": VECTOR, "taken": spaces.MultiDiscrete([2, 2])}, "TransformAction"),
        (SHAPED, {"shown": VECTOR, "taken": spaces.Box(0.0, np.inf, (1,))}, "bounded vectors"),
    ],
)
def test_what_cannot_be_served_is_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        facts(name, options)


def test_a_wrapper_of_the_registration_makes_an_environment_fit() -> None:
    assert facts(f"{HERE}:FlatLake-v0") == Facts((16,), 4)


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("raise", RuntimeError, f"'{BROKEN}' failed in a step: ValueError: the wheels$"),
        ("nan reward", FloatingPointError, f"a reward of '{BROKEN}' is .*nan"),
        ("infinite observation", FloatingPointError, f"an observation of '{BROKEN}' is not finite"),
    ],
)
def test_what_goes_wrong_in_a_step_names_the_environment(
    how: str, error: type[Exception], said: str
) -> None:
    with Environments(BROKEN, 2, 0, {"how": how}) as running:
        running.step(ones(2))
        running.step(ones(2))
        with pytest.raises(error, match=said):
            running.step(ones(2))


@pytest.mark.parametrize(
    ("check", "known", "said"),
    [
        (
            require_choices,
            Facts((3,), 1, (-1.0,), (1.0,)),
            "'dqn' chooses .* 'ppo', 'sac' or 'td3'",
        ),
        (require_numbers, Facts((3,), 4), "'td3' has actions .* one of 4 .* 'dqn' or 'ppo'"),
    ],
)
def test_actions_that_a_trainer_cannot_take_are_refused(
    check: Any, known: Facts, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check(known, "X-v0", "dqn" if check is require_choices else "td3")


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [("mujoco", "InvertedPendulum-v5", "rl"), ("ale_py", "ALE/Pong-v5", "atari")],
)
def test_where_a_simulator_is_missing_it_is_said_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, extra: str
) -> None:
    for loaded in [one for one in sys.modules if one.startswith("gymnasium.envs.mujoco")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"install it with pip install 'evonas\[{extra}\]'"):
        facts(name)


def test_where_gymnasium_is_missing_it_is_said_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for loaded in [one for one in sys.modules if one.startswith("evonas_trainers.reinforcement")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ConfigError, match=r"install it with pip install 'evonas\[rl\]'"):
        plugins.load(Trainer, "ppo")
