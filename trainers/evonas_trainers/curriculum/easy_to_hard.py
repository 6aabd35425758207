"""The easiest samples first, and more and more of them, in an order that never changes.

"On the Power of Curriculum Learning in Training Deep Networks" (Hacohen and Weinshall, 2019,
https://arxiv.org/abs/1904.03626), with the self-taught score: how badly a network that was trained
on all samples before does on each. The pool of every class grows linearly in epochs; inside the
pool samples are shuffled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas_trainers.slots import Course, Curriculum, Teach, cut


@final
@dataclass(frozen=True, kw_only=True)
class EasyToHard(Curriculum):
    """Train on the easiest samples of every class first.

    Epochs with a small pool are short; compare with plain training at equal samples.

    Attributes:
        first: Share of the samples that the first epoch uses.
        until: Part of the epochs after which all are used.
        scoring_epochs: For which the network that scores is trained.
    """

    paper: ClassVar[str] = (
        "On the Power of Curriculum Learning in Training Deep Networks, Hacohen and Weinshall, "
        "2019, https://arxiv.org/abs/1904.03626"
    )

    first: float = 0.3
    until: float = 0.5
    scoring_epochs: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.first <= 1 or not 0 <= self.until <= 1 or self.scoring_epochs < 1:
            raise ConfigError(
                f"needs 0 < first <= 1, 0 <= until <= 1 and scoring_epochs >= 1, given {self!r}"
            )

    def prepare(self, data: Mapping[str, Tensor], teach: Teach) -> Mapping[str, Tensor]:
        """Return `difficulty`, the scoring network's loss on each training sample."""
        logits = teach(self.scoring_epochs)
        return {"difficulty": F.cross_entropy(logits, data["train_y"], reduction="none")}

    def start(
        self,
        prepared: Mapping[str, Tensor],
        epochs: int,
        batch_size: int,
        generator: torch.Generator,
    ) -> Course:
        """Rank the samples of every class."""
        rank = rank_in_class(prepared["difficulty"].cpu(), prepared["train_y"].cpu())
        return _EasyToHardCourse(self, rank, epochs, batch_size, generator)

    def pool(self, epoch: int, epochs: int) -> float:
        """Return the share of the samples that an epoch uses."""
        full = self.until * epochs
        return 1.0 if epoch >= full else self.first + (1 - self.first) * epoch / full


@final
@dataclass(frozen=True)
class _EasyToHardCourse(Course):
    settings: EasyToHard
    rank: Tensor
    epochs: int
    batch_size: int
    generator: torch.Generator

    def batches(self, epoch: int, model: nn.Module) -> Sequence[Tensor]:  # noqa: ARG002 - a contract
        pool = (self.rank < self.settings.pool(epoch, self.epochs)).nonzero().squeeze(1)
        return cut(pool[torch.randperm(len(pool), generator=self.generator)], self.batch_size)


def rank_in_class(difficulty: Tensor, labels: Tensor) -> Tensor:
    """Return for each sample the share of its class that is easier, from 0 up to less than 1."""
    rank = torch.empty(len(labels))
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        order = members[difficulty[members].argsort(stable=True)]
        rank[order] = torch.arange(len(order)) / len(order)
    return rank
