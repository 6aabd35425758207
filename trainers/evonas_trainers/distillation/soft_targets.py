"""Learning from a teacher's soft targets, made once a search.

"Distilling the Knowledge in a Neural Network" (Hinton, Vinyals and Dean, 2015,
https://arxiv.org/abs/1503.02531). The loss is (1 - w) CE + w T^2 KL, the divergence averaged over
the batch. Unlike the paper, the teacher sees every training sample once, as it is, and not the
crops that the student sees; with mixup its probabilities are mixed as the inputs are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas_trainers.slots import Batch, Distillation, Distiller, Teach


@final
@dataclass(frozen=True, kw_only=True)
class SoftTargets(Distillation):
    """Match a teacher's probabilities beside the labels.

    Attributes:
        teacher: A safetensors file with `logits`, (samples, classes), for the training data as
            published and in that order; empty for a small network that is trained first.
        teacher_epochs: For which the small network is trained.
        weight: Of the teacher against the labels, 0 to 1.
        temperature: That softens both probabilities.
    """

    paper: ClassVar[str] = (
        "Distilling the Knowledge in a Neural Network, Hinton, Vinyals and Dean, 2015, "
        "https://arxiv.org/abs/1503.02531"
    )

    teacher: str = ""
    teacher_epochs: int = 10
    weight: float = 0.7
    temperature: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1 or self.temperature <= 0 or self.teacher_epochs < 1:
            raise ConfigError(
                f"needs 0 <= weight <= 1, temperature > 0 and teacher_epochs >= 1, given {self!r}"
            )

    def prepare(self, data: Mapping[str, Tensor], teach: Teach) -> Mapping[str, Tensor]:
        """Return `teacher_logits`, a row for each training sample."""
        logits = teach(self.teacher_epochs) if not self.teacher else self._read(data)
        return {"teacher_logits": logits}

    def start(
        self,
        model: nn.Module,  # noqa: ARG002 - the candidate's outputs are enough
        prepared: Mapping[str, Tensor],
        generator: torch.Generator,  # noqa: ARG002
    ) -> Distiller:
        """Look the targets up."""
        return _SoftTargetDistiller(self, prepared["teacher_logits"])

    def _read(self, data: Mapping[str, Tensor]) -> Tensor:
        path = Path(self.teacher).expanduser()
        try:
            logits = load_file(path)["logits"].float()
        except (OSError, KeyError, SafetensorError) as error:
            raise ConfigError(
                f"teacher {self.teacher!r} is no safetensors file with a tensor `logits` ({error})"
            ) from error
        rows, classes = data["train_index"], int(data["classes"])
        if logits.ndim != 2 or logits.shape[1] != classes or len(logits) <= int(rows.max()):
            raise ConfigError(
                f"teacher {self.teacher!r}: logits are {tuple(logits.shape)}; give a row of "
                f"{classes} for each sample of the training data as published"
            )
        return logits[rows]


@final
class _SoftTargetDistiller(Distiller):
    def __init__(self, settings: SoftTargets, logits: Tensor) -> None:
        self.companion = nn.ModuleList()
        self._settings, self._logits = settings, logits

    def loss(self, outputs: Tensor, batch: Batch, task: Tensor, progress: float) -> Tensor:  # noqa: ARG002
        weight, temperature = self._settings.weight, self._settings.temperature
        soft = batch.mixed(torch.softmax(self._logits[batch.index] / temperature, 1))
        return (1 - weight) * task + weight * divergence(outputs, soft, temperature)

    def finish(self) -> None:
        pass


def divergence(outputs: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """Return T^2 KL(soft || softmax(outputs / T)), averaged over the batch.

    Args:
        outputs: Logits, (batch, classes).
        soft: Probabilities, (batch, classes).
        temperature: T; the square keeps the gradient's size the same for every T.
    """
    log_probabilities = F.log_softmax(outputs / temperature, 1)
    return temperature**2 * F.kl_div(log_probabilities, soft, reduction="batchmean")
