"""Several perceptrons of one shape, all of them passed by one batched product a layer."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.errors import ConfigError, unknown

ACTIVATIONS = {"relu": F.relu, "silu": F.silu, "tanh": torch.tanh, "elu": F.elu}


@final
@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large an ensemble is.

    Attributes:
        members: How many perceptrons.
        width: Units of each hidden layer.
        depth: Hidden layers.
        activation: Between layers: one of `ACTIVATIONS`.
    """

    members: int = 5
    width: int = 128
    depth: int = 2
    activation: str = "relu"

    def __post_init__(self) -> None:
        if min(self.members, self.width) < 1 or self.depth < 0:
            raise ConfigError(
                f"an ensemble needs members and width of 1 or more, and depth, given {self!r}"
            )
        if self.activation not in ACTIVATIONS:
            raise unknown("activation", self.activation, ACTIVATIONS)


@final
class Ensemble(nn.Module):
    """Maps (members, batch, inputs) to (members, batch, outputs), each member its own rows.

    Parameters are `weights.i` (members, in, out) and `biases.i` (members, 1, out), so a member is
    one index of all of them.

    Attributes:
        shape: Of it.
    """

    def __init__(self, shape: Shape, inputs: int, outputs: int, generator: torch.Generator) -> None:
        """Draw the weights as `nn.Linear` does, on the CPU.

        Args:
            shape: Of the ensemble.
            inputs: Of each member.
            outputs: Of each member.
            generator: Draws the weights.
        """
        super().__init__()
        pairs = list(pairwise([inputs, *[shape.width] * shape.depth, outputs]))
        self.shape = shape
        self.weights = nn.ParameterList(
            [_drawn((shape.members, i, o), i, generator) for i, o in pairs]
        )
        self.biases = nn.ParameterList(
            [_drawn((shape.members, 1, o), i, generator) for i, o in pairs]
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Pass every member's rows through it."""
        hidden = inputs
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if place:
                hidden = ACTIVATIONS[self.shape.activation](hidden)
            hidden = torch.baddbmm(bias, hidden, weight)
        return hidden

    def same(self, inputs: Tensor) -> Tensor:
        """Pass the same rows (batch, inputs) through every member."""
        return self(inputs.expand(self.shape.members, *inputs.shape))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one row through one member."""
        return sum(weight[0].numel() for weight in self.weights)


def _drawn(shape: tuple[int, int, int], inputs: int, generator: torch.Generator) -> nn.Parameter:
    bound = 1 / math.sqrt(inputs)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
