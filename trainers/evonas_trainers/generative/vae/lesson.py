"""One task, taught: batches of its pictures, and classes of former tasks to replay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from evonas_trainers.generative.vae.autoencoder import Autoencoder
from evonas_trainers.generative.vae.losses import Batch, Weights, loss
from evonas_trainers.generative.vae.tasks import pixels

Method = Literal["reconstruction", "fine-tuning", "joint"]


@final
@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much is learned of a task.

    Attributes:
        steps: Batches.
        batch_size: Pictures in a batch.
        replays: Codes of former classes that go with them.
    """

    steps: int
    batch_size: int
    replays: int


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """How all tasks are learned.

    Attributes:
        method: Whether pictures of former tasks are still there (`joint`), or their knowledge is
            reconstructed, or neither.
        weights: Of the loss, by the paper.
        pace: The same for all.
    """

    method: Method
    weights: Weights
    pace: Pace


@final
@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One task and what is to be kept of the former ones.

    Attributes:
        number: Of the task, from 0.
        keeps_pictures: Whether those of former tasks are still there.
        weights: Of the loss, in this task.
        former: The model as the task begins; None where it is not asked.
        pace: How much is learned of it.
    """

    number: int
    keeps_pictures: bool
    weights: Weights
    former: Autoencoder | None
    pace: Pace

    @classmethod
    def begun(cls, number: int, plan: Plan, model: Autoencoder) -> "Lesson":
        """Begin a task: freeze a copy of the model if it will be asked what it knew."""
        forgets = plan.method != "reconstruction"
        weights = (plan.weights.without_memory() if forgets else plan.weights).of_task(number)
        former = model.frozen() if weights.knowledge and plan.pace.replays else None
        return cls(
            number=number,
            keeps_pictures=plan.method == "joint",
            weights=weights,
            former=former,
            pace=plan.pace,
        )

    def rows(self, data: Mapping[str, Tensor]) -> Tensor:
        """Return the training rows that batches are drawn from."""
        task = data["tasks"][data["train_y"]]
        wanted = task <= self.number if self.keeps_pictures else task == self.number
        return wanted.nonzero()[:, 0]

    def former_labels(self, tasks: Tensor, draws: torch.Generator) -> Tensor:
        """Return classes of former tasks, each as likely; none if nothing is replayed."""
        classes = (tasks < self.number).nonzero()[:, 0]
        if self.former is None:
            return classes[:0]
        places = torch.randint(len(classes), (self.pace.replays,), generator=draws)
        return classes[places.to(classes.device)]


def learn(
    model: Autoencoder,
    lesson: Lesson,
    optimizer: Optimizer,
    data: Mapping[str, Tensor],
    draws: torch.Generator,
) -> None:
    """Learn one task.

    Raises:
        FloatingPointError: if the loss of the last step is not finite.
    """
    rows, last = lesson.rows(data), torch.zeros(())
    for _ in range(lesson.pace.steps):
        places = torch.randint(len(rows), (lesson.pace.batch_size,), generator=draws)
        chosen = rows[places.to(rows.device)]
        batch = Batch(
            pictures=pixels(data["train_x"][chosen]),
            labels=data["train_y"][chosen],
            former_labels=lesson.former_labels(data["tasks"], draws),
        )
        optimizer.zero_grad()
        last = loss(model, lesson.former, batch, lesson.weights, draws)
        last.backward()
        optimizer.step()
    if not last.isfinite():
        raise FloatingPointError(f"the loss is not finite in task {lesson.number}")
