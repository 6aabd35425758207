"""Learning from one another: networks or branches that are trained together, without a teacher."""

from dataclasses import dataclass
from typing import ClassVar, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import Cohort, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import candidate, divergence, end, mutual, peers, task


@final
@dataclass(frozen=True, kw_only=True)
class Dml(CohortPreset):
    """Deep mutual learning: every network learns from the labels and from every other's output.

    Differs from the authors' code: all step at once, by one optimizer each in the paper; the
    divergences are averaged over the others, as the paper writes and the code does not.

    Attributes:
        members: Networks that are trained beside the candidate.
        temperature: By which logits are divided.
    """

    paper: ClassVar[str] = (
        "Deep Mutual Learning, Zhang, Xiang, Hospedales and Lu, 2017, "
        "https://arxiv.org/abs/1706.00384"
    )

    members: int = 1
    temperature: float = 1.0

    def cohort(self, available: Available) -> Cohort:  # noqa: ARG002 - a contract
        """Return one stage in which all learn from all."""
        nodes = {**candidate(), **peers(self.members)}
        weight = Curve(end=1 / self.members)
        return Cohort(
            preset="dml",
            nodes=nodes,
            edges=(
                *(task(end(name)) for name in nodes),
                *(
                    divergence(end(to), end(source), self.temperature, weight)
                    for to, source in mutual(nodes)
                ),
            ),
            stages=(Stage(train=tuple(nodes)),),
        )
