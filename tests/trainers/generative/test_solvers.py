"""The solvers by name against what is known in closed form, and each with its own adjoint."""

import warnings
from typing import get_args

import pytest
import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas_trainers.generative.sde import torch_sde
from evonas_trainers.generative.sde.brownian import Brownian
from evonas_trainers.generative.sde.equation import Equation, Grid
from evonas_trainers.generative.sde.solvers import Solver, solved

SOLVERS = get_args(Solver)
RATE, SPREAD = 0.3, 0.4


def growth(rate: Tensor) -> Equation:
    """Return dX = rate X dt + SPREAD X o dW, whose solution is X(0) exp(rate t + SPREAD W)."""

    def fields(_: float, state: Tensor) -> tuple[Tensor, Tensor]:
        return rate * state, SPREAD * state

    return Equation(fields, "diagonal", (rate,))


def errors(solver: Solver, exponent: int) -> tuple[float, float]:
    """Return the errors of the end and of its gradient by the rate, for the same path."""
    fine = Grid(2, 8)
    rate = torch.tensor(RATE, dtype=torch.float64, requires_grad=True)
    start = torch.ones(64, 1, dtype=torch.float64)
    brownian = Brownian(fine, 1, 0, start)
    for step in range(fine.num_steps):  # decides the path, whatever is asked after
        _ = brownian(fine.time(step), fine.time(step + 1))
    end = solved(solver, growth(rate), start, Grid(2, exponent), brownian)[-1]
    exact = torch.exp(RATE + SPREAD * brownian(0.0, 1.0))
    (slope,) = torch.autograd.grad(end.mean(), rate)
    return float((end.detach() - exact).abs().mean()), float((slope - exact.mean()).abs())


@pytest.mark.parametrize("solver", SOLVERS)
def test_solutions_and_gradients_tend_to_those_of_geometric_brownian_motion(solver: Solver) -> None:
    coarse, fine = errors(solver, 2), errors(solver, 7)
    assert fine[0] < 0.01
    assert fine[1] < 0.01
    assert fine[0] < coarse[0] / 4


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_has_the_adjoint_that_it_wants(solver: Solver) -> None:
    rate = torch.tensor(RATE, requires_grad=True)
    start, grid = torch.ones(4, 1), Grid(3, 1)
    motion = Brownian(grid, 1, 0, start).motion
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch_sde.solved(solver, growth(rate), start, grid, motion).sum().backward()
    assert rate.grad is not None
    assert rate.grad.isfinite()


def test_midpoint_evaluates_twice_a_step() -> None:
    counts: dict[Solver, int] = {}
    for solver in ("reversible_heun", "midpoint"):
        equation = growth(torch.tensor(RATE))
        start, grid = torch.ones(4, 1), Grid(9)
        solved(solver, equation, start, grid, Brownian(grid, 1, 0, start))
        counts[solver] = equation.evaluations
    assert counts["reversible_heun"] == 9
    assert counts["midpoint"] >= 16, "torchsde tries the fields before"


def test_an_unknown_solver_is_refused_with_the_nearest() -> None:
    start, grid = torch.ones(4, 1), Grid(3)
    equation = growth(torch.tensor(RATE))
    with pytest.raises(ConfigError, match="did you mean 'midpoint'"):
        torch_sde.solved("midpoint_", equation, start, grid, None)


def test_a_missing_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_sde, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'evonas\[sde\]'"):
        torch_sde.require()
