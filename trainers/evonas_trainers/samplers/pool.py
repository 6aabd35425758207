"""A part of the samples, those that some network finds easy or hard: a step of a curriculum.

"Knowledge Distillation via Instance-level Sequence Learning" (Zhao, Sun, Dong and Dong, 2021,
https://arxiv.org/abs/2106.10885): mechanism of the abstract, which has a snapshot of the student
order the samples for its next phase. Our own: difficulty is the task's loss; the pool is the
easiest part of every class, as whole classes would go otherwise; inside it samples are shuffled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas.sampling import Sampler
from evonas_trainers.curriculum.easy_to_hard import rank_in_class
from evonas_trainers.samplers.dealing import dealt
from evonas_trainers.slots import cut


@final
@dataclass(frozen=True, kw_only=True)
class Pool(Sampler):
    """A part of every class: what the scorer finds easiest, or hardest, or any.

    The pool comes as often as it takes for epochs to be as long as with all samples.

    Attributes:
        share: Of every class that is in the pool.
        order: Which part; `random` ignores the losses, so it is the control for the other two.
    """

    paper: ClassVar[str] = (
        "Knowledge Distillation via Instance-level Sequence Learning, Zhao et al., 2021, "
        "https://arxiv.org/abs/2106.10885"
    )
    scores: ClassVar[bool] = True

    share: float = 0.5
    order: Literal["easy", "hard", "random"] = "easy"

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"needs 0 < share <= 1, given {self.share!r}")

    def start(
        self,
        labels: Tensor,
        batch_size: int,
        generator: torch.Generator,
        losses: Tensor | None,
    ) -> Iterator[Tensor]:
        """Rank the samples of every class once, and then shuffle the best over and over."""
        assert losses is not None, "a sampler that scores is given losses"
        match self.order:
            case "easy":
                difficulty = losses
            case "hard":
                difficulty = -losses
            case "random":
                difficulty = torch.rand(len(labels), generator=generator)
        pool = (rank_in_class(difficulty, labels) < self.share).nonzero().squeeze(1)
        return _stream(pool, len(labels), batch_size, generator)


def _stream(
    pool: Tensor, samples: int, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    while True:
        yield from cut(dealt(pool, samples, generator), batch_size)
