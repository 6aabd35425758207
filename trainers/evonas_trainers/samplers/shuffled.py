"""Every sample once an epoch, in a new random order: what training does unless a stage says more.

Shuffling without replacement is analysed in "Random Shuffling Beats SGD after Finite Epochs"
(HaoChen and Sra, 2018, https://arxiv.org/abs/1806.10077).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from evonas.sampling import Sampler
from evonas_trainers.slots import cut


@final
@dataclass(frozen=True, kw_only=True)
class Shuffled(Sampler):
    """Every sample once an epoch, in a new random order."""

    paper: ClassVar[str] = (
        "Random Shuffling Beats SGD after Finite Epochs, HaoChen and Sra, 2018, "
        "https://arxiv.org/abs/1806.10077"
    )

    def start(
        self,
        labels: Tensor,
        batch_size: int,
        generator: torch.Generator,
        losses: Tensor | None,  # noqa: ARG002 - a contract
    ) -> Iterator[Tensor]:
        """Cut one random order after another into batches."""
        while True:
            yield from cut(torch.randperm(len(labels), generator=generator), batch_size)
