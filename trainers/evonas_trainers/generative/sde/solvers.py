"""Solving an equation by the solver of a name: our reversible Heun, or one of torchsde's."""

from typing import Literal

from torch import Tensor

from evonas_trainers.generative.sde import reversible_heun, torch_sde
from evonas_trainers.generative.sde.brownian import Brownian
from evonas_trainers.generative.sde.equation import Equation, Grid

Solver = Literal["reversible_heun", "midpoint", "heun", "euler_heun"]


def solved(
    solver: Solver, equation: Equation, start: Tensor, grid: Grid, brownian: Brownian
) -> Tensor:
    """Return the solution at the observations, (observations, batch, state), with gradients."""
    if solver == "reversible_heun":
        return reversible_heun.solved(equation, start, grid, brownian)
    return torch_sde.solved(solver, equation, start, grid, brownian.motion)
