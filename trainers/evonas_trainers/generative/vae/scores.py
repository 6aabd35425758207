"""How well a model generates what it has been taught, and what it has forgotten of it.

Two linear classifiers judge: one that learned real pictures says whether generated ones are
recognised; one that learned generated pictures is tested on real ones, which it passes only if
they are both right and various ("rACC" in the paper). Classes that have not been taught yet are
never generated, so that all their pictures count as missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from evonas import seeds
from evonas_trainers.generative.vae import linear
from evonas_trainers.generative.vae.autoencoder import Autoencoder
from evonas_trainers.generative.vae.losses import divergence, squared
from evonas_trainers.generative.vae.tasks import pixels

RECOGNISER = "recogniser"
"""The prepared tensor: weights of the classifier of real pictures."""

_BATCH = 1024


def recogniser(data: Mapping[str, Tensor], each: int) -> Tensor:
    """Fit the classifier of real pictures, to so many training pictures of each class."""
    labels = data["train_y"]
    classes = len(data["tasks"])
    rows = torch.cat([(labels == one).nonzero()[:each, 0] for one in range(classes)])
    return linear.fitted(pixels(data["train_x"][rows]), labels[rows], classes)


@final
@dataclass(frozen=True, kw_only=True)
class Exam:
    """By what a model is judged.

    Attributes:
        data: See `evonas_trainers.generative.vae.tasks`, and `RECOGNISER`.
        part: `valid` or `test`.
        each: Pictures of each class to generate.
        seed: Of what is generated.
    """

    data: Mapping[str, Tensor]
    part: Literal["valid", "test"]
    each: int
    seed: int


def judged(
    model: Autoencoder, exam: Exam, taught: int
) -> tuple[Mapping[str, float], Sequence[float]]:
    """Return metrics after so many tasks, and how well each of these is recognised.

    Args:
        model: In eval mode.
        exam: To pass.
        taught: Number of tasks that the model has been taught.

    Raises:
        FloatingPointError: if what is generated is not finite.
    """
    data, tasks = exam.data, exam.data["tasks"]
    labels = (tasks < taught).nonzero()[:, 0].repeat_interleave(exam.each)
    draws = torch.Generator().manual_seed(seeds.integer(exam.seed, "codes"))
    made = torch.cat([model.generated(some, draws) for some in labels.split(_BATCH)])
    if not made.isfinite().all():
        raise FloatingPointError("a generated picture is not finite")
    found = linear.hits(data[RECOGNISER], made, labels).float()
    recognised = [float(found[tasks[labels] == task].mean()) for task in range(taught)]
    weight = linear.fitted(made, labels, len(tasks))
    real = data[f"{exam.part}_y"]
    passed = linear.hits(weight, pixels(data[f"{exam.part}_x"]), real) & (tasks[real] < taught)
    each_task = [float(passed[tasks[real] == task].float().mean()) for task in tasks.unique()]
    metrics = {
        "accuracy": sum(each_task) / len(each_task),
        "recognised": sum(recognised) / taught,
        "first_task": recognised[0],
        "elbo": _elbo(model, exam, taught),
    }
    return metrics, recognised


def forgetting(past: Sequence[Sequence[float]]) -> float:
    """Return the mean loss of all tasks but the last, each from its best to its last score.

    Args:
        past: Scores of all tasks so far, earliest first.
    """
    last = past[-1]
    lost = [
        max(scores[task] for scores in past if task < len(scores)) - last[task]
        for task in range(len(last) - 1)
    ]
    return sum(lost) / len(lost) if lost else 0.0


def _elbo(model: Autoencoder, exam: Exam, taught: int) -> float:
    """Return the bound of the log-likelihood for pictures of the tasks taught, in nats.

    Pixels are Gaussian with variance 1/2 around what is decoded; the constant is left out.
    """
    draws = torch.Generator().manual_seed(seeds.integer(exam.seed, "bound"))
    data, part = exam.data, exam.part
    known = data["tasks"][data[f"{part}_y"]] < taught
    pictures, labels = data[f"{part}_x"][known], data[f"{part}_y"][known]
    total = 0.0
    for some, classes in zip(pictures.split(_BATCH), labels.split(_BATCH), strict=True):
        inputs = pixels(some)
        mean, log_variance = model.encoded(inputs, classes)
        code = mean + model.drawn(classes, draws) * (log_variance / 2).exp()
        lost = squared(inputs, model.decoded(code, classes)) + divergence(mean, log_variance)
        total += float(lost) * len(some)
    return -total / len(pictures)
