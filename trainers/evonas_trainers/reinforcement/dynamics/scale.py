"""Numbers of different sizes brought to mean 0 and deviation 1, and back."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

LEAST = 1e-6
"""A column that hardly moves is divided by 1: what it does is noise."""


@final
@dataclass(frozen=True)
class Scale:
    """Mean and deviation of each column.

    Attributes:
        mean: (columns,).
        deviation: (columns,), above 0.
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> "Scale":
        """Measure the columns of (rows, columns)."""
        deviation = rows.std(0, correction=0)
        ones = torch.ones_like(deviation)
        return cls(rows.mean(0), torch.where(deviation > LEAST, deviation, ones))

    def apply(self, values: Tensor) -> Tensor:
        """Bring (..., columns) to mean 0 and deviation 1."""
        return (values - self.mean) / self.deviation

    def undo(self, values: Tensor) -> Tensor:
        """Bring (..., columns) back."""
        return values * self.deviation + self.mean
