"""Generalised advantages, against the sums of the paper written out."""

import pytest
import torch
from torch import Tensor

from evonas_trainers.reinforcement.advantages import Steps, advantages

DISCOUNT, TRACE = 0.9, 0.8
REWARDS = torch.tensor([1.0, 2.0, 3.0, 4.0])
VALUES = torch.tensor([0.5, 0.25, 2.0, 1.0])
REACHED = torch.tensor([0.25, 2.0, 1.0, 8.0])
NEVER = torch.zeros(4, dtype=torch.bool)


def after(step: int) -> Tensor:
    return torch.arange(4) == step


def found(terminated: Tensor = NEVER, ended: Tensor = NEVER, trace: float = TRACE) -> Tensor:
    columns = (REWARDS, VALUES, REACHED, terminated, ended)
    return advantages(Steps(*(one[:, None] for one in columns)), DISCOUNT, trace)[:, 0]


def error(step: int, *, is_end: bool = False) -> Tensor:
    later = 0.0 if is_end else DISCOUNT * REACHED[step]
    return REWARDS[step] + later - VALUES[step]


def test_an_advantage_is_the_sum_of_all_later_errors_that_fade() -> None:
    fading = DISCOUNT * TRACE
    wanted = [sum(fading ** (k - t) * error(k) for k in range(t, 4)) for t in range(4)]
    assert torch.allclose(found(), torch.tensor(wanted))


def test_without_a_trace_it_is_one_error() -> None:
    assert torch.allclose(found(trace=0.0), torch.stack([error(t) for t in range(4)]))


@pytest.mark.parametrize(("is_end", "terminated"), [(True, after(1)), (False, NEVER)])
def test_an_end_is_worth_nothing_and_a_cut_what_was_reached(
    is_end: bool, terminated: Tensor
) -> None:
    last = error(1, is_end=is_end)
    gained = found(terminated, ended=after(1))
    assert torch.isclose(gained[1], last)
    assert torch.isclose(gained[0], error(0) + DISCOUNT * TRACE * last)


def test_nothing_leaks_from_one_episode_or_environment_into_another() -> None:
    gained = found(ended=after(1))
    assert torch.allclose(gained[2:], found()[2:])
    rows = [torch.stack([one, one.flip(0)], 1) for one in (REWARDS, VALUES, REACHED, NEVER, NEVER)]
    assert torch.allclose(advantages(Steps(*rows), DISCOUNT, TRACE)[:, 0], found())
