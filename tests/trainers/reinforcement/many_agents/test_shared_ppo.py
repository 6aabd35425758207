"""Every agent has advantages of its own, which end with its death."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.many_agents.battles import Deeds
from evonas_trainers.reinforcement.many_agents.shared_ppo import SharedPpo, agents_advantages

METHOD = SharedPpo(discount=0.9, trace=0.8, reward_scale=1.0)


def deeds(numbers: list[int], rewards: list[float], dead: list[int], *, cut: bool = False) -> Deeds:
    """Return a turn of agents by number; what they see is of no matter here."""
    ids = torch.tensor(numbers)
    terminated = torch.tensor([number in dead for number in numbers])
    seen = torch.zeros(len(numbers), 1)
    ended = terminated | cut
    return Deeds(ids, seen, ids, torch.tensor(rewards), seen, terminated, ended)


def slow_advantages(
    turns: list[Deeds], values: Tensor, reached: Tensor, method: SharedPpo
) -> list[float]:
    """Return the advantages agent by agent, each by equation 11 of the paper's sums."""
    rows = [
        (number, at, row)
        for at, turn in enumerate(turns)
        for row, number in enumerate(turn.numbers.tolist())
    ]
    starts = [sum(len(turn.numbers) for turn in turns[:at]) for at in range(len(turns))]
    found: list[float] = []
    for number, at, _ in rows:
        total, weight = 0.0, 1.0
        for later in range(at, len(turns)):
            row = turns[later].numbers.tolist().index(number)
            flat = starts[later] + row
            goes_on = not turns[later].terminated[row]
            worth = method.discount * goes_on * reached[flat].item()
            total += weight * (turns[later].rewards[row].item() + worth - values[flat].item())
            weight *= method.discount * method.trace
            if turns[later].ended[row]:
                break
        found.append(total)
    return found


TURNS = [
    deeds([0, 1, 2], [1.0, 0.5, -1.0], [1]),
    deeds([0, 2], [0.3, 2.0], []),
    deeds([0, 2], [0.1, 0.2], [0], cut=True),
    deeds([0, 1, 2], [5.0, 6.0, 7.0], []),
]


def test_advantages_are_those_of_each_agent_by_itself() -> None:
    draws = torch.Generator().manual_seed(0)
    values, reached = torch.randn(2, 10, generator=draws)
    found = agents_advantages(TURNS, values, reached, 3, METHOD)
    expected = slow_advantages(TURNS, values, reached, METHOD)
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_death_is_worth_its_last_reward_and_nothing_that_comes_after() -> None:
    values, reached = torch.zeros(10), torch.full((10,), 100.0)
    found = agents_advantages(TURNS, values, reached, 3, METHOD)
    assert found[1].item() == 0.5


def test_time_that_is_up_leaves_what_was_reached_its_worth() -> None:
    values, reached = torch.zeros(10), torch.full((10,), 100.0)
    found = agents_advantages(TURNS, values, reached, 3, METHOD)
    assert found[6].item() == pytest.approx(0.2 + 0.9 * 100)


def test_rewards_are_scaled() -> None:
    nothing = torch.zeros(10)
    whole = agents_advantages(TURNS, nothing, nothing, 3, METHOD)
    half = agents_advantages(TURNS, nothing, nothing, 3, replace(METHOD, reward_scale=0.5))
    assert torch.allclose(half, whole / 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("turns", 0), ("lr", 0.0), ("discount", 1.1), ("trace", -0.1), ("max_norm", 0.0)],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        SharedPpo(**{name: value})
