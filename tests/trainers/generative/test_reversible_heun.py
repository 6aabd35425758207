"""Our reversible Heun against autograd through its own steps, and against torchsde's."""

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from evonas_trainers.generative.sde import reversible_heun, torch_sde
from evonas_trainers.generative.sde.brownian import Brownian
from evonas_trainers.generative.sde.equation import Equation, Grid, NoiseType
from evonas_trainers.generative.sde.reversible_heun import advanced, undone

BATCH, STATE = 7, 4
NOISES = {"diagonal": STATE, "general": 3, "additive": 3, "scalar": 1}


@pytest.fixture(autouse=True)
def _a_fixed_seed() -> None:
    torch.manual_seed(0)


def equation(noise: NoiseType) -> Equation:
    """Return an equation with fields that are small perceptrons in float64."""
    drift = nn.Sequential(nn.Linear(1 + STATE, 8), nn.SiLU(), nn.Linear(8, STATE), nn.Tanh())
    given = 1 if noise == "additive" else 1 + STATE
    shape = (STATE,) if noise == "diagonal" else (STATE, NOISES[noise])
    out = STATE if noise == "diagonal" else STATE * NOISES[noise]
    diffusion = nn.Sequential(nn.Linear(given, 8), nn.SiLU(), nn.Linear(8, out), nn.Tanh())
    networks = nn.ModuleList([drift, diffusion]).double()

    def fields(time: float, state: Tensor) -> tuple[Tensor, Tensor]:
        timed = torch.cat([state.new_full((len(state), 1), time / 4), state], 1)
        return drift(timed), diffusion(timed[:, :given]).unflatten(1, shape)

    return Equation(fields, noise, tuple(networks.parameters()))


def gradients(path: Tensor, start: Tensor, parameters: tuple[Tensor, ...]) -> Tensor:
    """Return the gradients of something that depends on every observation, as one vector."""
    weights = torch.linspace(-1, 2, path.numel(), dtype=path.dtype).reshape(path.shape)
    loss = (weights * path.square()).sum()
    return torch.cat([one.flatten() for one in torch.autograd.grad(loss, (start, *parameters))])


def relative(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().sum() / other.abs().sum())


@pytest.mark.parametrize("noise", get_args(NoiseType))
@pytest.mark.parametrize(("observations", "exponent"), [(2, 0), (5, 0), (3, 3), (5, 4)])
def test_gradients_are_those_of_the_steps_taken(
    noise: NoiseType, observations: int, exponent: int
) -> None:
    solves, grid = equation(noise), Grid(observations, exponent)
    start = torch.randn(BATCH, STATE, dtype=torch.float64, requires_grad=True)
    found: list[Tensor] = []
    for solve in (reversible_heun.solved, reversible_heun.unrolled):
        path = solve(solves, start, grid, Brownian(grid, NOISES[noise], 3, start))
        found.append(gradients(path, start, solves.parameters))
    assert relative(*found) < 1e-14


@pytest.mark.parametrize("noise", get_args(NoiseType))
def test_paths_and_gradients_are_those_of_torchsdes_pair(noise: NoiseType) -> None:
    solves, grid = equation(noise), Grid(5, 2)
    start = torch.randn(BATCH, STATE, dtype=torch.float64, requires_grad=True)
    ours = reversible_heun.solved(solves, start, grid, Brownian(grid, NOISES[noise], 3, start))
    motion = Brownian(grid, NOISES[noise], 3, start).motion
    theirs = torch_sde.solved("reversible_heun", solves, start, grid, motion)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    found = [gradients(path, start, solves.parameters) for path in (ours, theirs)]
    assert relative(*found) < 1e-13


def test_every_step_costs_one_evaluation_each_way() -> None:
    solves, grid = equation("general"), Grid(5, 3)
    start = torch.randn(BATCH, STATE, dtype=torch.float64, requires_grad=True)
    path = reversible_heun.solved(solves, start, grid, Brownian(grid, 3, 0, start))
    assert solves.evaluations == grid.num_steps + 1
    path.sum().backward()
    assert solves.evaluations == 2 * (grid.num_steps + 1)


@pytest.mark.parametrize("noise", get_args(NoiseType))
def test_the_steps_can_be_undone(noise: NoiseType) -> None:
    solves, grid = equation(noise), Grid(3, 4)
    start = torch.randn(BATCH, STATE, dtype=torch.float64)
    brownian = Brownian(grid, NOISES[noise], 1, start)
    with torch.no_grad():
        _, state = advanced(solves, start, grid, brownian)
    for step in range(grid.num_steps, 0, -1):
        time = grid.time(step - 1)
        state = undone(solves, state, time, grid.step, brownian(time, grid.time(step)))
    torch.testing.assert_close(state.solution, start, rtol=0, atol=1e-12)
    torch.testing.assert_close(state.shadow.detach(), start, rtol=0, atol=1e-12)


def test_fields_without_parameters_have_gradients_of_the_start() -> None:
    def fields(_: float, state: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(state), torch.ones_like(state)

    grid = Grid(3)
    start = torch.zeros(BATCH, STATE, requires_grad=True)
    brownian = Brownian(grid, STATE, 0, start)
    reversible_heun.solved(Equation(fields, "diagonal"), start, grid, brownian).sum().backward()
    assert start.grad is not None
    assert (start.grad == 3).all()
