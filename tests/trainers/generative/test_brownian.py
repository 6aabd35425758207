"""The noise is a Brownian motion: exact, additive, repeatable."""

import itertools

import pytest
import torch
from torch import Tensor

from evonas_trainers.generative.sde.brownian import Along, Brownian
from evonas_trainers.generative.sde.equation import Grid

GRID = Grid(5, 3)


def motion(seed: int = 0, rows: int = 3) -> Brownian:
    return Brownian(GRID, 2, seed, torch.zeros(rows, 1, dtype=torch.float64))


def test_increments_add_up() -> None:
    asked = motion()
    times = [0.0, 0.125, 1.0, 1.7, 3.0, 4.0]
    parts = [asked(start, end) for start, end in itertools.pairwise(times)]
    torch.testing.assert_close(torch.stack(parts).sum(0), asked(0.0, 4.0), rtol=0, atol=1e-12)


def test_the_same_questions_have_the_same_answers_again() -> None:
    asked = motion()
    steps = [(GRID.time(step), GRID.time(step + 1)) for step in range(GRID.num_steps)]
    there = [asked(*step) for step in steps]
    back = [asked(*step) for step in reversed(steps)]
    assert all(torch.equal(one, other) for one, other in zip(there, reversed(back), strict=True))


def test_the_path_is_that_of_the_seed() -> None:
    first, again, other = (motion(seed)(1.0, 2.0) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    _ = motion()(0.0, 1.0)
    assert torch.equal(before, torch.get_rng_state())


def test_increments_have_the_variance_of_their_time_and_do_not_depend_on_each_other() -> None:
    asked = motion(rows=20_000)
    first, second = asked(0.0, 0.25)[:, 0], asked(0.25, 1.0)[:, 0]
    assert float(first.var()) == pytest.approx(0.25, rel=0.05)
    assert float(second.var()) == pytest.approx(0.75, rel=0.05)
    assert abs(float((first * second).mean())) < 0.02


def test_times_outside_are_clamped() -> None:
    asked = motion()
    assert torch.equal(asked(-1e-9, 4.0 + 1e-9), asked(0.0, 4.0))


@pytest.mark.parametrize("exponent", [0, 2])
def test_a_given_path_is_followed_from_end_to_end(exponent: int) -> None:
    path = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0))
    along, grid = Along(path), Grid(5, exponent)
    parts: list[Tensor] = [
        along(grid.time(step), grid.time(step + 1)) for step in range(grid.num_steps)
    ]
    torch.testing.assert_close(torch.stack(parts).sum(0), path[-1] - path[0])
