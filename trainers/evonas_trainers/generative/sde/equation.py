"""What is solved: dZ = f(t, Z) dt + g(t, Z) o dW in Stratonovich's sense, on a dyadic grid.

Observations stand at the times 0, 1, 2, ..., and steps are powers of two, 2^-k. So every time is
exact in floating point, and solvers meet the observations without interpolating. Steps of other
lengths were measured to spoil gradients that are exact otherwise, by 1e-2 for steps of 0.07.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, final

import torch
from torch import Tensor

NoiseType = Literal["diagonal", "general", "additive", "scalar"]
"""What g is: a number for every state; a matrix; one that only time changes; a single column."""

Fields = Callable[[float, Tensor], tuple[Tensor, Tensor]]
"""Maps a time and states (batch, state) to f (batch, state) and g.

g is (batch, state) where the noise is diagonal, else (batch, state, noise)."""


class Noise(Protocol):
    """Increments of what drives an equation: a Brownian motion, or a path that is given."""

    def __call__(self, start: float, end: float, /) -> Tensor:
        """Return the increments from `start` to `end`, (batch, noise)."""
        ...


@final
@dataclass(frozen=True)
class Grid:
    """The times of a solution.

    Attributes:
        observations: How many there are, at times 0, 1, 2, ...
        exponent: k of the step 2^-k, not negative.
    """

    observations: int
    exponent: int = 0

    @property
    def step(self) -> float:
        """The length of a step."""
        return 2.0**-self.exponent

    @property
    def per_observation(self) -> int:
        """Steps from one observation to the next."""
        return int(2**self.exponent)

    @property
    def num_steps(self) -> int:
        """Steps in all."""
        return (self.observations - 1) * self.per_observation

    @property
    def end(self) -> float:
        """The time of the last observation."""
        return float(self.observations - 1)

    def time(self, step: int) -> float:
        """Return the time after so many steps, exactly."""
        return step * self.step

    def is_observed(self, step: int) -> bool:
        """Say whether an observation stands after so many steps."""
        return step % self.per_observation == 0


@final
class Equation:
    """An equation, and how often its vector fields have been evaluated.

    Attributes:
        noise: Its kind.
        parameters: Whatever the fields' values depend on but time and state; for gradients.
        evaluations: So many, of both fields at once.
    """

    def __init__(self, fields: Fields, noise: NoiseType, parameters: Sequence[Tensor] = ()) -> None:
        self.noise: NoiseType = noise
        self.parameters = tuple(one for one in parameters if one.requires_grad)
        self.evaluations = 0
        self._fields = fields

    def __call__(self, time: float, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and g."""
        self.evaluations += 1
        return self._fields(time, state)

    def product(self, diffusion: Tensor, increment: Tensor) -> Tensor:
        """Return g dW, (batch, state)."""
        if self.noise == "diagonal":
            return diffusion * increment
        return torch.bmm(diffusion, increment[:, :, None])[:, :, 0]

    def pulled_back(self, cotangent: Tensor, increment: Tensor) -> Tensor:
        """Return the cotangent of g, given that of g dW."""
        if self.noise == "diagonal":
            return cotangent * increment
        return cotangent[:, :, None] * increment[:, None, :]
