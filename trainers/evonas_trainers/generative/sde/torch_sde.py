"""The one module that knows torchsde: its Brownian Interval, and its solvers with their adjoints.

torchsde (Li, Kidger and others, https://github.com/google-research/torchsde) is an optional extra,
imported where it is used. Its adjoints but one solve another equation backwards in time, so that
their gradients are off by the size of the steps. Of a pair that does not match it says nothing that
stops a search: here every solver has its adjoint, and none can be chosen.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, final

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


def interval(
    end: float, size: tuple[int, int], seed: int, step: float, like: Tensor, *, tree: bool = False
) -> Any:
    """Return a Brownian motion on [0, end]: a function from two times to its increments.

    Args:
        end: Its last time.
        size: (batch, noise).
        seed: Of its path; the same seed and the same order of questions give the same path.
        step: About how far apart the times of questions are.
        like: The dtype and device of increments.
        tree: Whether intervals are halved down to 2^-20 of the whole, which makes the path that of
            the seed in any order of questions; slow.
    """
    import torchsde  # noqa: PLC0415 - an optional extra

    halving = {"halfway_tree": True, "tol": end * 2.0**-20} if tree else {"dt": step}
    return torchsde.BrownianInterval(
        0.0, end, size=size, dtype=like.dtype, device=like.device, entropy=seed, **halving
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
    return torchsde.sdeint_adjoint(
        _Stratonovich(equation),
        start,
        times,
        bm=motion,
        method=solver,
        adjoint_method=ADJOINTS[solver],
        dt=grid.step,
        adjoint_params=equation.parameters,
    )


@final
class _Stratonovich:
    """An equation as torchsde reads one."""

    sde_type = "stratonovich"

    def __init__(self, equation: Equation) -> None:
        self.noise_type = equation.noise
        self._equation = equation

    def f(self, time: Tensor, state: Tensor) -> Tensor:
        return self._equation(float(time), state)[0]

    def g(self, time: Tensor, state: Tensor) -> Tensor:
        return self._equation(float(time), state)[1]

    def f_and_g(self, time: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self._equation(float(time), state)
