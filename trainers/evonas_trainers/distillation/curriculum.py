"""Distillation in the order that the student itself finds easy."""

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE, Cohort, Node, Stage
from evonas_trainers.distillation.edges import candidate, teachers
from evonas_trainers.distillation.kd import soft_targets

_SNAPSHOT = "snapshot"


@final
@dataclass(frozen=True, kw_only=True)
class Curriculum(CohortPreset):
    """Instance-level sequences: a snapshot of the student orders the samples of its next phase.

    Mechanism of the abstract, as the text could not be had. After a phase on all samples come
    `rounds` of equal length; each begins with a snapshot of the candidate, and draws from the
    samples that are easiest for it, more and more of them, until in the last round all are in. Our
    own: difficulty is the loss against the labels, pools are parts of every class, and all phases
    have the steps that they would have with all samples. On digits random pools of the same size
    served better than easy ones (benchmarks/cohort_curriculum.py).

    Attributes:
        rounds: Phases after the first.
        order: Which samples come first; `hard` and `random` are the controls.
        temperature: By which logits are divided.
        weight: Of the divergence from the teacher; the labels have the rest of 1.
    """

    paper: ClassVar[str] = (
        "Knowledge Distillation via Instance-level Sequence Learning, Zhao et al., 2021, "
        "https://arxiv.org/abs/2106.10885"
    )
    teachers: ClassVar[int] = 1

    rounds: int = 3
    order: Literal["easy", "hard", "random"] = "easy"
    temperature: float = 4.0
    weight: float = 0.9

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ConfigError(f"needs rounds >= 1, given {self.rounds!r}")

    def cohort(self, available: Available) -> Cohort:
        """Return a stage of all samples, and one a round."""
        (teacher,) = nodes = teachers(self, available)
        snapshot = Node(kind="snapshot", role="scorer", of=CANDIDATE)
        share = 1 / (self.rounds + 1)
        rounds = (self._round(number, share) for number in range(1, self.rounds + 1))
        return Cohort(
            preset="curriculum",
            nodes={**candidate(), **nodes, _SNAPSHOT: snapshot},
            edges=soft_targets(CANDIDATE, teacher, self.temperature, self.weight),
            stages=(Stage(name="all", share=share), *rounds),
        )

    def _round(self, number: int, share: float) -> Stage:
        return Stage(
            name=f"round{number}",
            share=share,
            sampler={"name": "pool", "share": number / self.rounds, "order": self.order},
            scorer=_SNAPSHOT,
            snapshots=(_SNAPSHOT,),
        )
