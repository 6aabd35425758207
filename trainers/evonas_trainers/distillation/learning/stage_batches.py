"""Batches from the samplers of a cohort's stages, with as many steps an epoch as ever."""

from collections.abc import Callable, Iterator
from typing import final

from torch import Tensor

Draw = Callable[[float, bool], Tensor]
"""Returns the rows of the batch after so much of the training, the last of its epoch or not."""


@final
class StageBatches:
    """The batches of one epoch, each drawn when the step before is done.

    So a stage may begin between any two steps, with the networks as they are then.
    """

    def __init__(self, epoch: int, epochs: int, steps: int, draw: Draw) -> None:
        self._epoch, self._epochs, self._steps, self._draw = epoch, epochs, steps, draw

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Tensor]:
        for step in range(self._steps):
            progress = (self._epoch + step / self._steps) / self._epochs
            yield self._draw(progress, step == self._steps - 1)
