"""What a lifelong autoencoder learns by: its own task, what it knew, and its own reconstructions.

"Lifelong Generative Learning via Knowledge Reconstruction" (Huang, An et al., 2022,
https://arxiv.org/abs/2201.06418). With x pictures of this task, y their classes, x' what becomes of
them, and (z_p, y_p) codes of the prior with classes of former tasks:

    L = |x - x'|^2 + a KL(q(z | x, y), N(0, 1)) + b KL(q(z | x', y), N(0, 1))
        + c |decoder(z_p, y_p) - former(z_p, y_p)|^2

a mean over the batch, |.|^2 summed over pixels.
"""

from dataclasses import dataclass, replace
from typing import Literal, final

import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas_trainers.generative.vae.autoencoder import Autoencoder

Growth = Literal["constant", "task"]


@final
@dataclass(frozen=True, kw_only=True)
class Weights:
    """What each part of the loss counts; 0 leaves it out.

    Attributes:
        divergence: a, of codes from the prior.
        feedback: b, of codes of reconstructions from the prior.
        knowledge: c, of what the former model generates.
        growth: Whether c is the same for all tasks, or grows with their number: c, 2 c, 3 c, ...
    """

    divergence: float = 1.0
    feedback: float = 1.0
    knowledge: float = 1.0
    growth: Growth = "task"

    def __post_init__(self) -> None:
        for name in ("divergence", "feedback", "knowledge"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 0 or more")

    def of_task(self, number: int) -> "Weights":
        """Return what counts in a task; the first is number 0 and has nothing to keep."""
        times = number if self.growth == "task" else min(number, 1)
        return replace(self, knowledge=times * self.knowledge, growth="constant")

    def without_memory(self) -> "Weights":
        """Return the weights of a plain autoencoder."""
        return replace(self, feedback=0.0, knowledge=0.0)


@final
@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes:
        pictures: Of this task, from 0 to 1.
        labels: Their classes.
        former_labels: Classes of former tasks, to be replayed; there may be none.
    """

    pictures: Tensor
    labels: Tensor
    former_labels: Tensor


def loss(
    model: Autoencoder,
    former: Autoencoder | None,
    batch: Batch,
    weights: Weights,
    draws: torch.Generator,
) -> Tensor:
    """Return L for a batch.

    Args:
        model: What learns.
        former: The model as it was when this task began; None where nothing is to be kept.
        batch: To learn from.
        weights: Of this task, see `Weights.of_task`.
        draws: Of all codes.
    """
    mean, log_variance = model.encoded(batch.pictures, batch.labels)
    noise = model.drawn(batch.labels, draws)
    made = model.decoded(mean + noise * (log_variance / 2).exp(), batch.labels)
    total = squared(batch.pictures, made) + weights.divergence * divergence(mean, log_variance)
    if weights.feedback:
        again = model.encoded(made, batch.labels)
        total = total + weights.feedback * divergence(*again)
    if former is not None and len(batch.former_labels):
        code = model.drawn(batch.former_labels, draws)
        lost = reconstruction_of_knowledge(model, former, code, batch.former_labels)
        total = total + weights.knowledge * lost
    return total


def reconstruction_of_knowledge(
    model: Autoencoder, former: Autoencoder, code: Tensor, labels: Tensor
) -> Tensor:
    """Return how far the model is from what the former one generates, squared."""
    with torch.no_grad():
        known = former.decoded(code, labels)
    return squared(known, model.decoded(code, labels))


def squared(wanted: Tensor, made: Tensor) -> Tensor:
    """Return the squared distance of pictures, a mean over the batch."""
    return (wanted - made).square().flatten(1).sum(1).mean()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance), N(0, 1)) in nats, a mean over the batch."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
