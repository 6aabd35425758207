"""What the loop does without a curriculum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from evonas_trainers.slots import Course, cut


@final
@dataclass(frozen=True)
class Shuffled(Course):
    """Every sample once an epoch, in a new random order."""

    samples: int
    batch_size: int
    generator: torch.Generator

    def batches(self, epoch: int, model: nn.Module) -> Sequence[Tensor]:  # noqa: ARG002 - a contract
        """Cut a new order into batches."""
        return cut(torch.randperm(self.samples, generator=self.generator), self.batch_size)
