"""Learning from a finished teacher: its logits, its maps, or by way of an assistant.

Weights are of losses in the canonical convention of `evonas.transfer`; published ones are converted
(`docs/cohorts.md`).
"""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import CANDIDATE, Cohort
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import candidate, divergence, end, task, teachers


@final
@dataclass(frozen=True, kw_only=True)
class Kd(CohortPreset):
    """Knowledge distillation: the softened probabilities of a teacher beside the labels.

    The numbers are those of a public benchmark of distillation methods on CIFAR-100.

    Attributes:
        temperature: By which logits are divided.
        weight: Of the divergence; the labels have the rest of 1.
    """

    paper: ClassVar[str] = (
        "Distilling the Knowledge in a Neural Network, Hinton, Vinyals and Dean, 2015, "
        "https://arxiv.org/abs/1503.02531"
    )
    teachers: ClassVar[int] = 1

    temperature: float = 4.0
    weight: float = 0.9

    def cohort(self, available: Available) -> Cohort:
        """Return one stage with two edges."""
        (teacher,) = nodes = teachers(self, available)
        learner, source = end(CANDIDATE), end(teacher)
        return Cohort(
            preset="kd",
            nodes={**candidate(), **nodes},
            edges=(
                task(learner, 1 - self.weight),
                divergence(learner, source, self.temperature, Curve(end=self.weight)),
            ),
        )
