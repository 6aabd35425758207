"""Noise: a Brownian motion that is exact between any two times, in any order, in constant memory.

The Brownian Interval of "Efficient and Accurate Gradients for Neural SDEs" (Kidger et al., 2021,
https://arxiv.org/abs/2105.13493): a binary tree of intervals grows where it is asked, every node of
which draws from a seed of its own given what the node above drew; a short list of recent answers
makes the way back as fast as the way forward. This is torchsde's, seeded by us.
"""

from typing import Any, final

from torch import Tensor

from evonas_trainers.generative.sde import torch_sde
from evonas_trainers.generative.sde.equation import Grid


@final
class Brownian:
    """A path of Brownian motion for every sample of a batch, on the times of a grid.

    Attributes:
        motion: As torchsde's solvers take it.
    """

    def __init__(self, grid: Grid, noise: int, seed: int, start: Tensor) -> None:
        """Make the paths of `noise` motions for every row of `start`, with its dtype and device."""
        self._end = grid.end
        self.motion: Any = torch_sde.interval(grid, noise, seed, start)

    def __call__(self, start: float, end: float, /) -> Tensor:
        """Return the increments between two times, (batch, noise); times outside are clamped."""
        first, last = (min(max(time, 0.0), self._end) for time in (start, end))
        return self.motion(first, last)


@final
class Along:
    """The increments of a path that is given at the observations, and linear in between."""

    def __init__(self, path: Tensor) -> None:
        """Go along a path (observations, batch, channels)."""
        self._path = path

    def __call__(self, start: float, end: float, /) -> Tensor:
        """Return the increments between two times with no observation between them."""
        index = int(start)
        return (self._path[index + 1] - self._path[index]) * (end - start)
