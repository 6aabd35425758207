"""What may be put into the supervised loop: a pruning, a cohort's samplers, a curriculum.

A slot is configuration: a final frozen dataclass whose fields may be genes. Once a search a
curriculum's `prepare` may add tensors to the data; for every candidate `start` returns what acts in
that training and may keep state. What is pruned, by which rule, and with whom a candidate learns is
said by its genes and not by the trainer's fields. The loop calls them in this order:

    the cohort's training begins; pruner = pruning.start(...); course = curriculum.start(...)
    the optimizer is made for the model and for the `companion` modules
    for every epoch: course.batches(epoch), or those of the cohort's samplers
        for every batch: pruner.loss(...) with the cohort's loss as its criterion; backward
            (both once a part of the batch, if it is trained in parts);
            pruner.before_step(...); the optimizer's step; pruner.after_step(...)
        the model is judged and reported as it is
    the cohort is released; pruner.finish(...); its state is kept
        (with a pruner, the rebuilt model is judged, and its state kept)

Where a slot is empty, the loop does without.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Protocol, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.pruning_plan import PruningPlan

Criterion = Callable[[Tensor], Tensor]
"""Maps outputs (batch, classes) for the batch at hand to the loss."""


class Teach(Protocol):
    """What `prepare` may ask of the trainer: a network trained as candidates are, slots empty."""

    def __call__(self, epochs: int, /) -> Tensor:
        """Train a fixed small network; return its logits for the training data, in their order."""
        ...


@final
@dataclass(frozen=True)
class Batch:
    """A batch of training data on the device.

    Attributes:
        inputs: Augmented and normalised, (batch, *shape).
        targets: Labels, (batch,).
        index: Rows of the training data, (batch,).
        share: With mixup, a sample's share of its input; the rest is of the one mirrored in the
            batch. 1 without mixup.
    """

    inputs: Tensor
    targets: Tensor
    index: Tensor
    share: float = 1.0

    def mixed(self, rows: Tensor) -> Tensor:
        """Mix what belongs to the samples, (batch, ...), as their inputs are mixed."""
        return rows if self.share == 1 else rows.lerp(rows.flip(0), 1 - self.share)

    def parts(self, number: int) -> Iterator["Batch"]:
        """Yield the batch in at most `number` parts of two samples or more, as equal as can be.

        It is cut from both ends inwards, so that everyone stays opposite its partner in mixup.
        """
        size = len(self.targets)
        half = size // 2
        if min(number, half) < 2:
            yield self
            return
        number = min(number, half)
        starts = [half * place // number for place in range(number)]
        for start, end in pairwise([*starts, size - half]):
            yield self._rows(slice(start, end), slice(max(end, size - end), size - start))

    def _rows(self, *chosen: slice) -> "Batch":
        inputs, targets, index = (
            torch.cat([tensor[rows] for rows in chosen])
            for tensor in (self.inputs, self.targets, self.index)
        )
        return Batch(inputs, targets, index, self.share)


class Pruner(ABC):
    """A pruning at work in one training.

    Attributes:
        companion: Scaffolding that is trained beside the candidate by the same optimizer and then
            dropped, such as the norms of a second path; an empty `nn.ModuleList` for none.
    """

    companion: nn.Module

    @abstractmethod
    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:
        """Run the model, on one path or several, and return the loss of what comes out.

        Called where the precision context holds; `criterion` takes outputs of any precision.
        """

    @abstractmethod
    def before_step(self, optimizer: Optimizer, progress: float) -> None:
        """Change gradients, or note the weights; called between backward and every step."""

    @abstractmethod
    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        """Change weights and the optimizer's slots in place; called after every step."""

    @abstractmethod
    def finish(self, optimizer: Optimizer) -> None:
        """Prune for good, to exactly what the plan keeps.

        Called once, when the last step is done or the training is stopped.
        Everything that belongs to a pruned channel is zero then: the rows that make it, its batch
        norm's scale and shift, the columns that read it. So the rebuilt network computes the same.
        """


class Pruning(ABC):
    """What becomes of pruned weights in training: the `rule` of a schedule.

    Implementations are final, frozen dataclasses; their fields are what a schedule's rule may say.

    Attributes:
        paper: Title, authors, year, link.
    """

    group: ClassVar[str] = "evonas.pruning"
    paper: ClassVar[str]

    @abstractmethod
    def start(self, model: nn.Module, plan: PruningPlan, generator: torch.Generator) -> Pruner:
        """Begin a training of `model`, already on its device with its inherited weights.

        Raises:
            ConfigError: if the rule cannot follow the plan's schedule.
        """


class Course(ABC):
    """A curriculum at work in one training."""

    @abstractmethod
    def batches(self, epoch: int, model: nn.Module) -> Sequence[Tensor]:
        """Return the rows of the training data for each batch of an epoch, on the CPU.

        It may look at the model (self-paced learning) and must leave it as it is.
        """


class Curriculum(ABC):
    """A choice of which samples come when. Implementations are final, frozen dataclasses.

    Attributes:
        paper: Title, authors, year, link.
    """

    group: ClassVar[str] = "evonas.curriculum"
    paper: ClassVar[str]

    @abstractmethod
    def prepare(self, data: Mapping[str, Tensor], teach: Teach) -> Mapping[str, Tensor]:
        """Return what all candidates share, such as difficulties; called once a search.

        Names must not be names of the data.
        """

    @abstractmethod
    def start(
        self,
        prepared: Mapping[str, Tensor],
        epochs: int,
        batch_size: int,
        generator: torch.Generator,
    ) -> Course:
        """Begin a training with the data and what `prepare` made; `generator` is the CPU's."""


def cut(order: Tensor, batch_size: int) -> Sequence[Tensor]:
    """Cut rows into the fewest batches of at most `batch_size`, as equal as can be.

    No batch is left with the odd last sample, for which batch statistics would be undefined.
    """
    return order.tensor_split(-(-len(order) // batch_size))
