"""Some samples of a class in every batch, so that contrastive losses find positives.

"Online Knowledge Distillation via Mutual Contrastive Learning for Visual Recognition" (Yang et al.,
2022, https://arxiv.org/abs/2207.11518), after the class sampler of the authors' code: a batch is of
classes drawn without, and over an epoch with replacement, of which it holds `count` samples each.
Differs from it: where the data have fewer classes than a batch has room for, all are in it, and
share it equally.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import ClassVar, final

import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas.sampling import Sampler
from evonas_trainers.samplers.dealing import dealt
from evonas_trainers.slots import cut


@final
@dataclass(frozen=True, kw_only=True)
class PerClass(Sampler):
    """At least so many samples of every class that a batch holds.

    Batches are as large as those of shuffled samples, so that epochs are.

    Attributes:
        count: Of samples of a class.
    """

    paper: ClassVar[str] = (
        "Online Knowledge Distillation via Mutual Contrastive Learning for Visual Recognition, "
        "Yang et al., 2022, https://arxiv.org/abs/2207.11518"
    )

    count: int = 2

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigError(f"needs count >= 1, given {self.count!r}")

    def start(
        self,
        labels: Tensor,
        batch_size: int,
        generator: torch.Generator,
        losses: Tensor | None,  # noqa: ARG002 - a contract
    ) -> Iterator[Tensor]:
        """Draw classes, and then their samples, batch by batch.

        Raises:
            ConfigError: if a batch has no room for the samples of one class.
        """
        sizes = [len(batch) for batch in cut(labels, batch_size)]
        if min(sizes) < self.count:
            raise ConfigError(
                f"batches of {min(sizes)} have no room for count = {self.count!r} samples of a"
                " class; take larger batches"
            )
        classes = [(labels == label).nonzero().squeeze(1) for label in labels.unique()]
        return (self._batch(classes, size, generator) for size in cycle(sizes))

    def _batch(self, classes: Sequence[Tensor], size: int, generator: torch.Generator) -> Tensor:
        number = min(len(classes), size // self.count)
        drawn = torch.randperm(len(classes), generator=generator)[:number].tolist()
        each, more = divmod(size, number)
        return torch.cat(
            [
                dealt(classes[one], each + (place < more), generator)
                for place, one in enumerate(drawn)
            ]
        )
