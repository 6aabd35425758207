"""Random changes to training pictures, a whole batch at a time, on its device.

Padded crops and flips as in "Deep Residual Learning for Image Recognition" (He et al., 2015,
https://arxiv.org/abs/1512.03385); cutout from "Improved Regularization of Convolutional Neural
Networks with Cutout" (DeVries and Taylor, 2017, https://arxiv.org/abs/1708.04552); mixup from
"mixup: Beyond Empirical Risk Minimization" (Zhang et al., 2017, https://arxiv.org/abs/1710.09412).
Unlike the paper, a sample's partner in mixup is its mirror image in the (shuffled) batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas.seeds import Rng
from evonas_trainers.slots import Batch


@final
@dataclass(frozen=True, kw_only=True)
class Augment:
    """What is done to training inputs; nothing by default.

    Attributes:
        pad: Pixels of zeros around a picture before a crop of its size.
        flip: Whether half of the pictures are mirrored left to right.
        cutout: Side in pixels of the square that is set to the mean.
        mixup: Both parameters of the beta distribution of a sample's share; 0 for none.
    """

    pad: int = 0
    flip: bool = False
    cutout: int = 0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        if min(self.pad, self.cutout, self.mixup) < 0:
            raise ConfigError(f"augment values must be 0 or more, given {self!r}")

    def check(self, shape: Sequence[int]) -> None:
        """Raise ConfigError if inputs of this shape (batch left out) cannot be changed so."""
        if len(shape) != 3 and (self.pad or self.flip or self.cutout):
            raise ConfigError(
                f"pad, flip and cutout are for pictures, the inputs are {tuple(shape)}; "
                "leave them out of augment"
            )

    def batch(
        self, data: Mapping[str, Tensor], index: Tensor, generator: torch.Generator, rng: Rng
    ) -> Batch:
        """Make a batch of the rows `index`; `generator` belongs to the data's device."""
        index = index.to(data["train_x"].device)
        inputs = self._inputs(data, index, generator)
        share = float(rng.beta(self.mixup, self.mixup)) if self.mixup else 1.0
        batch = Batch(inputs, data["train_y"][index], index, share)
        return Batch(batch.mixed(inputs), batch.targets, index, share)

    def again(self, data: Mapping[str, Tensor], batch: Batch, generator: torch.Generator) -> Tensor:
        """Return other inputs of a batch's rows, mixed as they are mixed there."""
        return batch.mixed(self._inputs(data, batch.index, generator))

    def _inputs(
        self, data: Mapping[str, Tensor], index: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return the rows `index`, changed and normalised, but not mixed."""
        inputs = data["train_x"][index]
        if self.pad or self.flip:
            inputs = crop_and_flip(inputs, self.pad, self.flip, generator)
        inputs = normalise(inputs, data)
        return cutout(inputs, self.cutout, generator) if self.cutout else inputs


def normalise(inputs: Tensor, data: Mapping[str, Tensor]) -> Tensor:
    """Return inputs as float32 with the training data's mean 0 and deviation 1; channels last."""
    mean, std = data["mean"], data["std"]
    if inputs.ndim == 4:
        mean, std = mean[:, None, None], std[:, None, None]
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    return inputs.to(torch.float32).sub(mean).div_(std)


def crop_and_flip(pictures: Tensor, pad: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Shift every picture by up to `pad` pixels, zeros coming in, and mirror every other one.

    Args:
        pictures: (batch, channels, height, width), of any type.
        pad: Largest shift each way.
        flip: Whether to mirror.
        generator: Of the pictures' device.

    Returns:
        Pictures of the same size in channels-last layout, which the gather gives for nothing.
    """
    size, _, height, width = pictures.shape
    device = pictures.device
    top, left = torch.randint(2 * pad + 1, (2, size, 1), generator=generator, device=device)
    rows = top + torch.arange(height, device=device)
    columns = left + torch.arange(width, device=device)
    if flip:
        mirrored = torch.rand(size, 1, generator=generator, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(pictures, [pad] * 4)
    batch = torch.arange(size, device=device)
    crops = padded[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return crops.permute(0, 3, 1, 2)


def cutout(pictures: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Set a square of every picture to 0; its centre is any pixel, so it may be cut by the edge."""
    size, _, height, width = pictures.shape
    device = pictures.device
    y = torch.randint(height, (size, 1), generator=generator, device=device)
    x = torch.randint(width, (size, 1), generator=generator, device=device)
    below = torch.arange(height, device=device) - y + side // 2
    right = torch.arange(width, device=device) - x + side // 2
    inside = ((below >= 0) & (below < side))[:, :, None] & ((right >= 0) & (right < side))[:, None]
    return pictures.masked_fill(inside[:, None], 0)
