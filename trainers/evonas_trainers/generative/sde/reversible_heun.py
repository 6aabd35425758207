"""The reversible Heun method: one evaluation of the vector fields a step, exact gradients, no tape.

"Efficient and Accurate Gradients for Neural SDEs", Kidger, Foster, Li, Lyons, 2021,
https://arxiv.org/abs/2105.13493, algorithms 1 and 2. Beside the solution z runs a shadow y of
it, at which alone the fields are evaluated:

    y' = 2 z - y + f dt + g dW,    f', g' = f(t', y'), g(t', y')
    z' = z + (f + f') dt / 2 + (g + g') dW / 2

A step can be undone: y = 2 z' - y' - f' dt - g' dW, the fields at y give f and g, then z. So the
way back needs nothing but where the way forward ended, and its gradients are those of the steps
that were taken, at rounding level. The one evaluation a step of the way back gives both the fields'
values for undoing the step before and the graph for their derivatives; torchsde 0.2.6 evaluates
twice there. Memory does not grow with the steps, but for the observations that are returned.

Large steps through steep fields are unstable ("Explicit and Effectively Symmetric Schemes for
Neural SDEs", 2025, https://arxiv.org/abs/2509.20599): what comes out is not finite then, which
trainers take for divergence.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from evonas_trainers.generative.sde.equation import Equation, Grid, Noise


@final
class State(NamedTuple):
    """z, y, f and g of the module's docstring, or the cotangents of these."""

    solution: Tensor
    shadow: Tensor
    drift: Tensor
    diffusion: Tensor


def solved(equation: Equation, start: Tensor, grid: Grid, noise: Noise) -> Tensor:
    """Return the solution at the observations, (observations, batch, state).

    Gradients flow to `start` and to the equation's parameters, by undoing the steps.
    """
    return cast("Tensor", _Reversible.apply(equation, grid, noise, start, *equation.parameters))


def unrolled(equation: Equation, start: Tensor, grid: Grid, noise: Noise) -> Tensor:
    """Return the same, with all steps kept for gradients: of the noise, too, and of gradients."""
    return advanced(equation, start, grid, noise)[0]


def advanced(equation: Equation, start: Tensor, grid: Grid, noise: Noise) -> tuple[Tensor, State]:
    """Return the solution at the observations, and the state at the end."""
    state = State(start, start, *equation(0.0, start))
    observed = [start]
    for step in range(1, grid.num_steps + 1):
        time, after = grid.time(step - 1), grid.time(step)
        state = _stepped(equation, state, after, grid.step, noise(time, after))
        if grid.is_observed(step):
            observed.append(state.solution)
    return torch.stack(observed), state


def undone(equation: Equation, after: State, time: float, dt: float, increment: Tensor) -> State:
    """Return the state one step earlier, at `time`; its fields are differentiable at its shadow."""
    z, y, f, g = (part.detach() for part in after)
    shadow = 2 * z - y - f * dt - equation.product(g, increment)
    before = _evaluated(equation, time, z, shadow)
    f, g = f + before.drift.detach(), g + before.diffusion.detach()
    moved = f * (dt / 2) + equation.product(g, increment / 2)
    return before._replace(solution=z - moved)


def _stepped(
    equation: Equation, before: State, after: float, dt: float, increment: Tensor
) -> State:
    """Return the state one step later, at the time `after`."""
    z, y, f, g = before
    shadow = 2 * z - y + f * dt + equation.product(g, increment)
    drift, diffusion = equation(after, shadow)
    moved = (f + drift) * (dt / 2) + equation.product(g + diffusion, increment / 2)
    return State(z + moved, shadow, drift, diffusion)


@final
class _Reversible(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, equation: Equation, grid: Grid, noise: Noise, start: Tensor, *parameters: Tensor
    ) -> Tensor:
        observed, end = advanced(equation, start, grid, noise)
        ctx.equation, ctx.grid, ctx.noise = equation, grid, noise
        ctx.save_for_backward(end.solution, end.shadow, *parameters)
        return observed

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator's fault
        ctx: Any, *observed: Tensor
    ) -> tuple[Tensor | None, ...]:
        equation, grid = ctx.equation, ctx.grid
        z, y, *parameters = ctx.saved_tensors
        gradients = _Gradients(parameters)
        state = _evaluated(equation, grid.end, z, y)
        sought = State(*(torch.zeros_like(part) for part in state))
        for step in range(grid.num_steps, 0, -1):
            if grid.is_observed(step):
                seen = observed[0][step // grid.per_observation]
                sought = sought._replace(solution=sought.solution + seen)
            time = grid.time(step - 1)
            increment = ctx.noise(time, grid.time(step))
            sought = _pulled_back(equation, sought, state, grid.step, increment, gradients)
            state = undone(equation, state, time, grid.step, increment)
        start = sought.solution + sought.shadow + observed[0][0]
        start = start + gradients.through_fields(state, sought.drift, sought.diffusion)
        return None, None, None, start, *gradients.totals


@final
class _Gradients:
    """Adds up the gradients of the parameters over the steps."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.totals = [torch.zeros_like(one) for one in parameters]
        self._parameters = parameters

    def through_fields(self, state: State, drift: Tensor, diffusion: Tensor) -> Tensor:
        """Return the shadow's cotangent, given those of the fields there."""
        pairs = [(state.drift, drift), (state.diffusion, diffusion)]
        pairs = [(value, given) for value, given in pairs if value.requires_grad]
        if not pairs:
            return torch.zeros_like(state.shadow)
        values, given = zip(*pairs, strict=True)
        sources = [state.shadow, *self._parameters]
        found = torch.autograd.grad(values, sources, given, allow_unused=True)
        first, *others = cast("tuple[Tensor | None, ...]", found)
        for total, other in zip(self.totals, others, strict=True):
            if other is not None:
                total.add_(other)
        return torch.zeros_like(state.shadow) if first is None else first


def _pulled_back(  # noqa: PLR0913, PLR0917 - what the step had, and what is sought of it
    equation: Equation,
    sought: State,
    after: State,
    dt: float,
    increment: Tensor,
    gradients: _Gradients,
) -> State:
    """Return the cotangents of the state before a step, given those of the state after it."""
    z, y, f, g = sought
    half_f, half_g = z * (dt / 2), equation.pulled_back(z, increment / 2)
    y = y + gradients.through_fields(after, f + half_f, g + half_g)
    return State(z + 2 * y, -y, half_f + y * dt, half_g + equation.pulled_back(y, increment))


def _evaluated(equation: Equation, time: float, solution: Tensor, shadow: Tensor) -> State:
    """Return a state whose fields can be differentiated at its shadow."""
    with torch.enable_grad():
        shadow = shadow.detach().requires_grad_()
        return State(solution, shadow, *equation(time, shadow))
