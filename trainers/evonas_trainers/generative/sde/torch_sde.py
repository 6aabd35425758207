"""The one module that knows torchsde: its Brownian Interval, and its solvers with their adjoints.

torchsde (Li, Kidger and others, https://github.com/google-research/torchsde) is an optional extra,
imported where it is used. Its adjoints but one solve another equation backwards in time, so that
their gradients are off by the size of the steps. Of a pair that does not match it says nothing that
stops a search: here every solver has its adjoint, and none can be chosen.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, cast, final

import torch
from torch import Tensor

from evonas.errors import ConfigError, unknown
from evonas_trainers.generative.sde.equation import Equation, Grid

ADJOINTS: Mapping[str, str] = {
    "reversible_heun": "adjoint_reversible_heun",
    "midpoint": "midpoint",
    "heun": "heun",
    "euler_heun": "euler_heun",
}
"""The solvers of Stratonovich equations, each with the one that goes back."""


def require() -> None:
    """Check that torchsde is installed.

    Raises:
        ConfigError: if not, with the command that installs it.
    """
    if find_spec("torchsde") is None:
        raise ConfigError("neural SDEs need torchsde; install it with pip install 'evonas[sde]'")


def interval(grid: Grid, noise: int, seed: int, start: Tensor) -> Any:
    """Return Brownian motions over a grid: a function from two times to their increments.

    Args:
        grid: Questions are expected to be about its steps; others are answered as exactly.
        noise: Motions of every row of `start`.
        seed: Of the paths; the same seed and the same order of questions give the same paths.
        start: Has as many rows as there are paths, and the dtype and device of the increments.
    """
    import torchsde  # noqa: PLC0415 - an optional extra

    return torchsde.BrownianInterval(
        0.0,
        grid.end,
        size=(len(start), noise),
        dtype=start.dtype,
        device=start.device,
        entropy=seed,
        dt=grid.step,
    )


def solved(solver: str, equation: Equation, start: Tensor, grid: Grid, motion: Any) -> Tensor:
    """Return the solution at the observations, (observations, batch, state).

    Args:
        solver: One of `ADJOINTS`.
        equation: What to solve.
        start: The states at time 0, (batch, state).
        grid: The times.
        motion: As `interval` returns it.
    """
    import torchsde  # noqa: PLC0415 - an optional extra

    if solver not in ADJOINTS:
        raise unknown("solver", solver, ADJOINTS)
    times = torch.arange(grid.observations, dtype=start.dtype, device=start.device)
    sde: Any = Stratonovich(equation)
    found = torchsde.sdeint_adjoint(
        sde,
        start,
        times,
        bm=motion,
        method=solver,
        adjoint_method=ADJOINTS[solver],
        dt=grid.step,
        adjoint_params=equation.parameters,
    )
    return cast("Tensor", found)


@final
class Stratonovich:
    """An equation as torchsde reads one."""

    sde_type = "stratonovich"

    def __init__(self, equation: Equation) -> None:
        self.noise_type = equation.noise
        self._equation = equation

    def f(self, time: Tensor, state: Tensor) -> Tensor:
        """Return the drift."""
        return self._equation(float(time), state)[0]

    def g(self, time: Tensor, state: Tensor) -> Tensor:
        """Return the diffusion."""
        return self._equation(float(time), state)[1]

    def f_and_g(self, time: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return both, by one evaluation."""
        return self._equation(float(time), state)
