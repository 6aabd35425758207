"""Several teachers, weighed anew for every sample, and a hint from each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import CANDIDATE, Aggregator, Cohort, Edge, Learns, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import (
    candidate,
    divergence,
    end,
    live,
    maps,
    same_size,
    task,
    teachers,
)

_GATE = "gate"


@final
@dataclass(frozen=True, kw_only=True)
class Amtml(CohortPreset):
    """Adaptive multi-teacher multi-level distillation: latent factors weigh teachers by sample.

    After the authors' notebooks, none of which holds the whole loss: the student learns from the
    mixture of the teachers' probabilities and from the angles between its outputs; the j-th teacher
    gives a hint to the j-th of the student's maps. First student and gate are trained, then the
    student alone, by a learning rate that starts anew. All teachers of the run teach.

    Differs from the notebooks: the mixture is detached and the gate learns from the labels'
    likelihood under it, and for most of the training. The divergence alone pulls the mixture
    towards what the student thinks: it chose the right one of three experts for 0.1 % of the
    samples, and the labels for 53 % in 0.27 of a short training, the published share, and for 72 %
    in 0.6 of it (benchmarks/cohort_amtml.py; `gate = "edges"` is the published form). Hints are
    between maps of one size, where theirs are of the teachers' pooled ones. `alpha` is in the
    canonical convention; their mean over classes makes it 0.014 on CIFAR-100. The weight of the
    angles could not be read anywhere.

    Attributes:
        gate: What trains the gate.
        temperature: By which logits are divided.
        alpha: Weight of the divergence from the mixture; the labels have the rest of 1.
        angle: Weight of the angles.
        hint: Weight of each hint; at 0 teachers need no maps.
        warm_share: Part of the training in which the gate is trained.
    """

    paper: ClassVar[str] = (
        "Adaptive Multi-Teacher Multi-level Knowledge Distillation, Liu, Zhang and Wang, 2021, "
        "https://arxiv.org/abs/2103.04062"
    )
    teachers: ClassVar[int] = 2

    gate: Literal["labels", "edges"] = "labels"
    temperature: float = 5.0
    alpha: float = 0.7
    angle: float = 1.0
    hint: float = 1.0
    warm_share: float = 0.6

    def cohort(self, available: Available) -> Cohort:
        """Return a stage that trains the gate too, and one that does not."""
        last = maps(available.taps, "seed network")[-1]
        nodes = teachers(self, available, every=True)
        learns: Learns = self.gate
        gate = Aggregator(
            rule={"name": "latent", "temperature": self.temperature},
            inputs=tuple(end(name) for name in nodes),
            queries=(end(CANDIDATE, last),),
            learns=learns,
        )
        return Cohort(
            preset="amtml",
            nodes={**candidate(), **nodes},
            aggregators={_GATE: gate},
            edges=live((*self._targets(), *self._hints(available))),
            stages=(
                Stage(name="warm", share=self.warm_share, train=(CANDIDATE, _GATE)),
                Stage(name="main", share=1 - self.warm_share, restart=True),
            ),
        )

    def _targets(self) -> Iterable[Edge]:
        to, both = end(CANDIDATE), self.gate == "edges"
        yield task(to, 1 - self.alpha)
        yield divergence(to, _GATE, self.temperature, Curve(end=self.alpha), both=both)
        yield Edge(loss={"name": "angle"}, to=to, source=_GATE, weight=Curve(end=self.angle))

    def _hints(self, available: Available) -> Iterable[Edge]:
        if not self.hint:
            return
        for place, teacher in enumerate(available.teachers):
            pairs = same_size(available, teacher)
            ours, theirs = pairs[place % len(pairs)]
            yield Edge(
                loss={"name": "hint"},
                to=end(CANDIDATE, ours),
                source=end(teacher, theirs),
                weight=Curve(end=self.hint),
            )
