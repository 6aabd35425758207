"""Losses, aggregators, samplers and a preset that are small enough to be checked by eye."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.aggregation import Aggregation, Combination
from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.bilevel import Bilevel
from evonas.genome.cohort import Cohort, Edge, Node, Stage
from evonas.genome.cohort_kinds import AggregatorKind, LossKind
from evonas.genome.shapes import Shape
from evonas.sampling import Sampler
from evonas.transfer import Transfer

_PAPER = "a double for tests"


@final
@dataclass(frozen=True)
class Soft(Transfer):
    """T^2 KL(source || to)."""

    paper: ClassVar[str] = _PAPER
    kind: ClassVar[LossKind] = LossKind(ends="logits")

    temperature: float = 1.0

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:
        """Return the divergence."""
        assert source is not None
        t = self.temperature
        return t * t * _soft_rows(to / t, source / t)


def soft(to: Tensor, source: Tensor) -> Tensor:
    """Return KL(softmax(source) || softmax(to)), averaged over the batch."""
    return _soft_rows(to, source).mean()


def _soft_rows(to: Tensor, source: Tensor) -> Tensor:
    share = torch.softmax(source, 1)
    return (share * (share.log() - torch.log_softmax(to, 1))).sum(1)


@final
@dataclass(frozen=True)
class Square(Transfer):
    """The squared difference of maps, matched, times a factor."""

    paper: ClassVar[str] = _PAPER
    kind: ClassVar[LossKind] = LossKind(ends="maps", adapts="match")

    factor: float = 1.0

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:
        """Return the sum over positions."""
        assert source is not None
        return self.factor * (to - source).square().flatten(1).sum(1)


@final
@dataclass(frozen=True)
class Alike(Transfer):
    """The negative cosine of embedded vectors; wants two samples of a class."""

    paper: ClassVar[str] = _PAPER
    kind: ClassVar[LossKind] = LossKind(
        ends="vectors", adapts="embed", width=6, per_class=2, max_batch=512
    )

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:
        """Return it."""
        assert source is not None
        return -F.cosine_similarity(to, source)


@final
@dataclass(frozen=True)
class Mean(Aggregation):
    """The mean of the inputs, times a factor that may learn."""

    paper: ClassVar[str] = _PAPER
    kind: ClassVar[AggregatorKind] = AggregatorKind(has_parameters=True)

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:
        """Make the module."""
        return _Mean(len(inputs))


@final
class _Mean(Combination):
    def __init__(self, num: int) -> None:
        super().__init__()
        self._num = num
        self.factor = nn.Parameter(torch.ones(()))

    def forward(
        self, inputs: Sequence[Tensor], queries: Sequence[Tensor], labels: Tensor
    ) -> Tensor:
        self.weights = torch.full((len(labels), self._num), 1 / self._num)
        return self.factor * torch.stack(list(inputs)).mean(0)

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(target, labels)


@final
@dataclass(frozen=True)
class InTurn(Sampler):
    """Every sample in the order of its row."""

    paper: ClassVar[str] = _PAPER

    def start(
        self,
        labels: Tensor,
        batch_size: int,
        generator: torch.Generator,
        losses: Tensor | None,
    ) -> Iterator[Tensor]:
        """Cut the rows into batches, for ever."""
        while True:
            yield from torch.arange(len(labels)).split(batch_size)


@final
@dataclass(frozen=True)
class Worst(Sampler):
    """The sample of the largest loss, again and again."""

    paper: ClassVar[str] = _PAPER
    scores: ClassVar[bool] = True

    def start(
        self,
        labels: Tensor,
        batch_size: int,
        generator: torch.Generator,
        losses: Tensor | None,
    ) -> Iterator[Tensor]:
        """Repeat it so often that the batch is full."""
        assert losses is not None
        while True:
            yield losses.argmax().repeat(batch_size)


@final
@dataclass(frozen=True)
class MatchedPair(CohortPreset):
    """Two networks, one of which learns from the other by samples that are matched."""

    paper: ClassVar[str] = _PAPER

    def cohort(self, available: Available) -> Cohort:
        """Return one stage that trains both."""
        ends = ("candidate:logits", "peer:logits")
        return Cohort(
            preset="pair",
            nodes={"candidate": Node(kind="candidate"), "peer": Node(kind="member")},
            edges=(
                *(Edge(loss={"name": "task"}, to=end, tag="labels") for end in ends),
                Edge(loss={"name": "kl"}, to=ends[0], source=ends[1], tag="match", matched=True),
            ),
            stages=(Stage(train=("candidate", "peer")),),
            bilevel=Bilevel(inner="match", outer="labels"),
        )
