"""The suites of losses, aggregations and samplers find what is broken."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import pytest
import torch
from broken_promises import broken
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.aggregation import Aggregation, Combination
from evonas.genome.cohort_kinds import AggregatorKind, LossKind
from evonas.genome.shapes import Shape
from evonas.sampling import Sampler
from evonas.testing.aggregations import aggregation_checks
from evonas.testing.samplers import sampler_checks
from evonas.testing.transfers import transfer_checks
from evonas.transfer import Transfer

COUNT = itertools.count(1)
Loss = Callable[[Tensor, Tensor], Tensor]


@final
@dataclass(frozen=True)
class MadeLoss(Transfer):
    """Computes what it is told to."""

    paper: ClassVar[str] = "none"
    kind: ClassVar[LossKind] = LossKind(ends="vectors")
    make: Loss

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:
        """Return it."""
        assert source is not None
        return self.make(to, source)


def good_loss(to: Tensor, source: Tensor) -> Tensor:
    return (to - source).square().mean(1)


def scalar(to: Tensor, source: Tensor) -> Tensor:
    return (to - source).square().mean()


def frozen(to: Tensor, source: Tensor) -> Tensor:
    return good_loss(to.detach(), source)


def drawing(to: Tensor, source: Tensor) -> Tensor:
    return good_loss(to, source) * torch.rand(())


def ordered(to: Tensor, source: Tensor) -> Tensor:
    return good_loss(to, source) * torch.arange(len(to))


def misplaced(to: Tensor, source: Tensor) -> Tensor:
    return good_loss(to, source).sort().values


def careless(to: Tensor, source: Tensor) -> Tensor:
    return good_loss(to / to.norm(dim=1, keepdim=True), source)


def once(to: Tensor, source: Tensor) -> Tensor:
    return (to - source).square().mean(1) + to.norm(dim=1)


def destructive(to: Tensor, source: Tensor) -> Tensor:
    source.data.mul_(2)
    return good_loss(to, source)


def test_a_good_loss_keeps_its_contract() -> None:
    assert broken(transfer_checks(MadeLoss(good_loss))) == set()


@pytest.mark.parametrize(
    ("make", "claim"),
    [
        (scalar, "every sample has a finite loss"),
        (frozen, "the end that learns gets a gradient"),
        (drawing, "the same ends cost the same"),
        (ordered, "a sample keeps its loss wherever it stands"),
        (misplaced, "a sample keeps its loss wherever it stands"),
        (careless, "a dead end makes no nan"),
        (once, "the gradient can be differentiated"),
        (destructive, "what comes in stays as it is"),
    ],
)
def test_a_broken_loss_is_found(make: Loss, claim: str) -> None:
    assert claim in broken(transfer_checks(MadeLoss(make)))


@final
@dataclass(frozen=True)
class MadeAggregation(Aggregation):
    """Weighs its inputs by parameters, rightly or not."""

    paper: ClassVar[str] = "none"
    kind: ClassVar[AggregatorKind] = AggregatorKind(has_parameters=True)
    fault: str = ""

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:
        """Make the module."""
        return Weighing(len(inputs), self.fault)


@final
class Weighing(Combination):
    """A mean by learned weights, with a fault."""

    def __init__(self, inputs: int, fault: str) -> None:
        super().__init__()
        self.fault = fault
        first = torch.rand(inputs) + (next(COUNT) if fault == "restless" else 0)
        self.scores = first if fault == "unlearned" else nn.Parameter(first)

    def forward(
        self, inputs: Sequence[Tensor], queries: Sequence[Tensor], labels: Tensor
    ) -> Tensor:
        """Return the target."""
        share = self.scores.softmax(0)
        self.weights = share.expand(len(inputs[0]), -1) * (2 if self.fault == "heavy" else 1)
        rows = torch.stack([*inputs], 1)
        if self.fault == "cut":
            rows = rows.detach()
        target = (rows * (share.detach() if self.fault == "fixed" else share)[:, None]).sum(1)
        return target[:1] if self.fault == "small" else target

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(target, labels, reduction="none" if self.fault == "long" else "mean")


def test_a_good_aggregation_keeps_its_contract() -> None:
    assert broken(aggregation_checks(MadeAggregation())) == set()


@pytest.mark.parametrize(
    ("fault", "claim"),
    [
        ("small", "the target is shaped as an input"),
        ("unlearned", "the kind says whether it learns"),
        ("restless", "fresh weights depend on the seed alone"),
        ("unlearned", "a saved state gives the same target"),
        ("heavy", "the weights of every sample sum to one"),
        ("cut", "the inputs get a gradient"),
        ("long", "the labels can be told from the target"),
        ("fixed", "the target moves the parameters"),
    ],
)
def test_a_broken_aggregation_is_found(fault: str, claim: str) -> None:
    assert claim in broken(aggregation_checks(MadeAggregation(fault)))


Stream = Callable[[Tensor, int, torch.Generator], Iterator[Tensor]]


@final
@dataclass(frozen=True)
class MadeSampler(Sampler):
    """Draws what it is told to."""

    paper: ClassVar[str] = "none"
    make: Stream

    def start(
        self, labels: Tensor, batch_size: int, generator: torch.Generator, losses: Tensor | None
    ) -> Iterator[Tensor]:
        """Return it."""
        return self.make(labels, batch_size, generator)


def good_stream(labels: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield torch.randint(len(labels), (size,), generator=generator)


def ending(labels: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    return itertools.islice(good_stream(labels, size, generator), 4)


def beyond(labels: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    return (rows + len(labels) for rows in good_stream(labels, size, generator))


def large(labels: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    return good_stream(labels, 2 * size, generator)


def unseeded(labels: Tensor, size: int, _: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield torch.randint(len(labels), (size,))


def same(_labels: Tensor, size: int, _: torch.Generator) -> Iterator[Tensor]:
    return itertools.repeat(torch.arange(size))


def forgetful(labels: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    labels.zero_()
    return good_stream(labels, size, generator)


def test_a_good_sampler_keeps_its_contract() -> None:
    assert broken(sampler_checks(MadeSampler(good_stream))) == set()


@pytest.mark.parametrize(
    ("make", "claim"),
    [
        (ending, "the batches never end"),
        (beyond, "a batch holds rows that there are"),
        (large, "a batch is never too large"),
        (unseeded, "the generator alone decides"),
        (unseeded, "the global generator is left alone"),
        (same, "the generator alone decides"),
        (forgetful, "what comes in stays as it is"),
    ],
)
def test_a_broken_sampler_is_found(make: Stream, claim: str) -> None:
    assert claim in broken(sampler_checks(MadeSampler(make)))
