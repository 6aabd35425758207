"""What the trainer of neural SDEs asks of a way to learn one: a step, paths, and what it cost."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor, nn

from evonas import devices
from evonas_trainers.generative.sde.brownian import Brownian
from evonas_trainers.generative.sde.equation import Equation, Grid, NoiseType
from evonas_trainers.generative.sde.solvers import Solver, solved

Networks = Mapping[str, nn.Module]
OptimizerName = Literal["adam", "adadelta"]
SLOTS: Mapping[OptimizerName, tuple[str, ...]] = {
    "adam": ("exp_avg", "exp_avg_sq", "step"),
    "adadelta": ("square_avg", "acc_delta", "step"),
}
"""What torch's optimizers keep for a parameter."""


@final
@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes that set the networks' inputs and outputs.

    Attributes:
        hidden: Of the state.
        noise: Of the Brownian motion.
        noise_type: See `evonas_trainers.generative.sde.equation.NoiseType`.
        start_noise: Of what is drawn to start a path.
        observations: Of a series.
        channels: Numbers in an observation.
    """

    hidden: int
    noise: int
    noise_type: NoiseType
    start_noise: int
    observations: int
    channels: int

    @property
    def diffusion_inputs(self) -> int:
        """What the diffusion depends on: time, and the state where the noise is not additive."""
        return 1 if self.noise_type == "additive" else 1 + self.hidden

    @property
    def diffusion_outputs(self) -> tuple[int, ...]:
        """The shape of the diffusion at one state."""
        return (self.hidden,) if self.noise_type == "diagonal" else (self.hidden, self.noise)


@final
@dataclass(frozen=True, kw_only=True)
class Paths:
    """How paths are made.

    Attributes:
        solver: By which steps.
        grid: At which times.
    """

    solver: Solver
    grid: Grid

    @property
    def work(self) -> int:
        """Passes through the fields to solve and to go back; one with gradients counts as three."""
        if self.solver == "reversible_heun":
            return 4 * (self.grid.num_steps + 1)
        return 8 * self.grid.num_steps

    def solved(self, equation: Equation, start: Tensor, noise: int, seed: int) -> Tensor:
        """Return the solution at the observations, (observations, batch, state)."""
        brownian = Brownian(self.grid, noise, seed, start)
        return solved(self.solver, equation, start, self.grid, brownian)


@final
@dataclass(frozen=True, kw_only=True)
class Setting:
    """What every way to learn is told.

    Attributes:
        shape: The sizes.
        paths: How paths are made.
        optimizer: Of all networks.
        seed: Of every draw.
    """

    shape: Shape
    paths: Paths
    optimizer: OptimizerName
    seed: int


class Learner(ABC):
    """One training of a candidate; owns its optimizers and draws."""

    @abstractmethod
    def step(self, series: Tensor) -> Tensor:
        """Learn from a batch (batch, observations, channels); return the loss, not yet a number."""

    @abstractmethod
    def generate(self, count: int, seed: int) -> tuple[Tensor, int]:
        """Return new series (count, observations, channels), and the evaluations of fields."""

    @abstractmethod
    def measured(self, series: Tensor, seed: int) -> Mapping[str, float]:
        """Return the metrics that this way to learn has of its own, on series it has not seen."""

    @property
    @abstractmethod
    def optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        """The optimizers, each of some of the candidate's networks."""

    @abstractmethod
    def macs(self, each: Mapping[str, float]) -> float:
        """Return the multiply-accumulates of one series in a step, given those of each network."""


def optimizer(
    name: OptimizerName, lr: float, weight_decay: float, networks: list[nn.Module]
) -> torch.optim.Optimizer:
    """Make an optimizer of some networks.

    Args:
        name: `adadelta`, as published; or `adam`, with little momentum as players want it.
        lr: The learning rate.
        weight_decay: Of all weights.
        networks: What it moves.
    """
    parameters = [one for network in networks for one in network.parameters()]
    if name == "adadelta":
        return torch.optim.Adadelta(parameters, lr=lr, weight_decay=weight_decay)
    fused = devices.fuses(parameters[0].device)
    return torch.optim.AdamW(
        parameters, lr=lr, betas=(0.5, 0.99), weight_decay=weight_decay, fused=fused
    )


def timed(time: float, end: float, state: Tensor) -> Tensor:
    """Return time, as its share of the whole, and states as one vector a row."""
    return torch.cat([state.new_full((len(state), 1), time / end), state], dim=1)
