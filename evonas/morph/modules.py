"""The layers that torch lacks; they need nothing but torch, so exported files can hold a copy."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def lipswish(x: Tensor) -> Tensor:
    """Return 0.909 silu(x), whose slope is nowhere above 1.

    From "Residual Flows for Invertible Generative Modeling" (Chen, Behrmann, Duvenaud, Jacobsen,
    2019, https://arxiv.org/abs/1906.02735), with their constant.
    """
    return 0.909 * F.silu(x)


@final
class Scale(nn.Module):
    """y = s * x with one s per channel, zero at first, so that a new branch adds nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Scale every channel (the second dimension) of a batch."""
        return x * self.scale.reshape(-1, *[1] * (x.ndim - 2))


@final
class Lerp(nn.Module):
    """y = x + s * (f - x) with one s per channel: exactly x at s = 0, as at first, f at s = 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, f: Tensor) -> Tensor:
        """Go from x towards f, channel by channel."""
        return x + (f - x) * self.scale.reshape(-1, *[1] * (x.ndim - 2))


@final
class SqueezeExcite(nn.Module):
    """y = x * 2 sigmoid(W2 relu(W1 mean(x))): exactly x while W2 is zero."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, squeeze)
        self.expand = nn.Linear(squeeze, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh the channels of a batch of pictures by what the whole picture shows."""
        hidden = torch.relu(self.reduce(x.mean((2, 3))))
        return x * (2 * torch.sigmoid(self.expand(hidden)))[:, :, None, None]
