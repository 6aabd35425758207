"""The contract of a sampler: which samples a stage of a cohort's training draws."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor


class Sampler(ABC):
    """A way to draw batches. Implementations are final, frozen dataclasses.

    The fields are what a stage's `sampler` may say.

    Attributes:
        paper: Title, authors, year, link.
        scores: Whether it wants the losses of the stage's scorer.
    """

    group: ClassVar[str] = "evonas.samplers"
    paper: ClassVar[str]
    scores: ClassVar[bool] = False

    @abstractmethod
    def start(
        self,
        labels: Tensor,
        batch_size: int,
        generator: torch.Generator,
        losses: Tensor | None,
    ) -> Iterator[Tensor]:
        """Return endless batches of rows of the training data, on the CPU.

        Args:
            labels: Of the training data, on the CPU.
            batch_size: Largest batch.
            generator: The CPU's.
            losses: Of the scorer on every training sample when the stage begins, on the CPU; None
                unless the sampler scores.
        """
