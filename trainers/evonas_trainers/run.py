"""One supervised training under way: what the loop keeps from step to step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from evonas import seeds
from evonas.trainer import Context
from evonas_trainers.distillation.learning.stage_batches import StageBatches
from evonas_trainers.distillation.learning.training import CohortTraining
from evonas_trainers.slots import Batch, Course, Criterion, Pruner


@final
@dataclass(frozen=True, kw_only=True)
class Run:
    """A training; the pruner and the cohort, where there are any, have their say.

    Attributes:
        model: The candidate.
        network: What is run in its place; it has the same parameters.
        context: What the engine lends.
        data: On the device.
        optimizer: Of all that is trained.
        cohort: With whom the candidate learns, if with anyone.
        pruner: What prunes it, if anything does.
        course: Which samples come when, unless the cohort says so.
        draws: For augmentation, on the device.
        shares: For mixup.
    """

    model: nn.Module
    network: nn.Module
    context: Context
    data: Mapping[str, Tensor]
    optimizer: Optimizer
    cohort: CohortTraining | None
    pruner: Pruner | None
    course: Course
    draws: torch.Generator
    shares: seeds.Rng

    @property
    def trains_candidate(self) -> bool:
        """Whether the candidate learns now."""
        return self.cohort is None or self.cohort.trains_candidate

    def clip(self, max_norm: float) -> None:
        """Scale gradients down to a norm; those of every network of the cohort by themselves."""
        others = [] if self.cohort is None else list(self.cohort.learners)
        known = {tensor for tensors in others for tensor in tensors}
        moved = [tensor for group in self.optimizer.param_groups for tensor in group["params"]]
        for tensors in ([tensor for tensor in moved if tensor not in known], *others):
            clip_grad_norm_(tensors, max_norm)

    def batches(self, epoch: int) -> Sequence[Tensor] | StageBatches:
        """Return the rows of every batch of an epoch."""
        if self.cohort is not None:
            return self.cohort.batches(epoch)
        return self.course.batches(epoch, self.model)

    def span(self, progress: float) -> tuple[float, float]:
        """Return the part of the training over which the learning rate's schedule runs now."""
        return (0.0, 1.0) if self.cohort is None else self.cohort.span(progress)

    def backward(self, batch: Batch, smoothing: float, progress: float) -> Tensor:
        """Add the gradients of a batch's mean loss, one part after the other; return the loss."""
        total = torch.zeros((), device=self.context.device)
        for part in batch.parts(self.context.parts):
            with self.context.autocast():
                loss = self.loss(part, smoothing, progress)
            loss = loss * (len(part.targets) / len(batch.targets))
            loss.backward()
            total += loss.detach()
        return total

    def loss(self, batch: Batch, smoothing: float, progress: float) -> Tensor:
        """Run the networks on a batch and return what is to be minimised."""
        cohort, task = self.cohort, self._task(batch, smoothing)

        def criterion(outputs: Tensor) -> Tensor:
            return task(outputs) if cohort is None else cohort.loss(batch, task, progress)

        if cohort is not None and not cohort.trains_candidate:
            return cohort.loss(batch, task, progress)
        if self.pruner is None:
            return criterion(self.network(batch.inputs))
        return self.pruner.loss(batch.inputs, criterion, progress)

    def match(self, batch: Batch, smoothing: float, progress: float, share: float) -> None:
        """After a step, let the cohort's matchers learn, at a share of their learning rate."""
        if self.cohort is not None:
            self.cohort.match(batch, self._task(batch, smoothing), progress, share)

    def _task(self, batch: Batch, smoothing: float) -> Criterion:
        """Return the trainer's own loss of any outputs for a batch."""
        return lambda outputs: task_loss(outputs.float(), batch, smoothing)


def task_loss(outputs: Tensor, batch: Batch, smoothing: float) -> Tensor:
    """Return the cross-entropy against the labels, which mixup mixes as it mixes the inputs."""
    own = F.cross_entropy(outputs, batch.targets, label_smoothing=smoothing)
    if batch.share == 1:
        return own
    others = F.cross_entropy(outputs, batch.targets.flip(0), label_smoothing=smoothing)
    return batch.share * own + (1 - batch.share) * others
