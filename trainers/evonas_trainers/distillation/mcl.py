"""Mutual contrastive learning: networks that learn from each other's embeddings.

Four terms on the embeddings of every network, or of every pair: contrast in one network (VCL),
between two (ICL), and the agreement of two networks on either contrast (soft VCL, soft ICL); and
beside them, the networks' mean logits. Weights and temperatures are those of the authors' scripts.

Differs from the authors' code: with more than two networks all learn from the mean logits, where
theirs lets the last one alone; VCL is one edge a network, so that its weight does not grow with the
cohort. Layer-wise matching is the preset `lmcl`; memory banks are not here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import Aggregator, Cohort, Edge, Spec, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import (
    candidate,
    divergence,
    end,
    live,
    mutual,
    peers,
    require,
    task,
)

_ENSEMBLE = "ensemble"


@final
@dataclass(frozen=True, kw_only=True)
class Mcl(CohortPreset):
    """Mutual contrastive learning, with the distillation of logits.

    A term of weight 0 is left out. With all five at 0, what is left is the control: as many
    networks on the same batches, each alone.

    Attributes:
        members: Networks that are trained beside the candidate.
        per_class: Samples of every class in a batch.
        tau: By which similarities are divided.
        temperature: By which these, or logits, are divided once more for the soft terms.
        vcl: Weight of the contrast in every network.
        icl: Weight of the contrast between every two.
        soft_vcl: Weight of the agreement on the contrast in each.
        soft_icl: Weight of the agreement on the contrast between them.
        logits: Weight of the divergence from the mean of all logits.
    """

    paper: ClassVar[str] = (
        "Mutual Contrastive Learning for Visual Representation Learning, Yang et al., 2021, "
        "https://arxiv.org/abs/2104.12565"
    )

    members: int = 1
    per_class: int = 2
    tau: float = 0.1
    temperature: float = 3.0
    vcl: float = 0.1
    icl: float = 0.1
    soft_vcl: float = 1.0
    soft_icl: float = 1.0
    logits: float = 1.0

    def cohort(self, available: Available) -> Cohort:
        """Return one stage of batches that hold some samples of every class."""
        nodes = {**candidate(), **peers(self.members)}
        gap = require(available.taps, "gap")
        logits = [end(name) for name in nodes]
        mean = Aggregator(rule={"name": "mean"}, inputs=tuple(logits))
        lessons = (
            divergence(to, _ENSEMBLE, self.temperature, Curve(end=self.logits)) for to in logits
        )
        contrasts = self._contrasts([end(name, gap) for name in nodes])
        sampler = {"name": "per-class", "count": self.per_class}
        return Cohort(
            preset="mcl",
            nodes=nodes,
            aggregators={_ENSEMBLE: mean} if self.logits else {},
            edges=live((*(task(to) for to in logits), *contrasts, *lessons)),
            stages=(Stage(train=tuple(nodes), sampler=sampler),),
        )

    def _contrasts(self, ends: Iterable[str]) -> Iterable[Edge]:
        hard = {"tau": self.tau}
        soft = {**hard, "temperature": self.temperature}
        for to in ends:
            yield _contrast({"name": "vcl", **hard}, self.vcl, to)
        for to, source in mutual(ends):
            yield _contrast({"name": "icl", **hard}, self.icl, to, source, both=True)
            yield _contrast({"name": "soft-vcl", **soft}, self.soft_vcl, to, source)
            yield _contrast({"name": "soft-icl", **soft}, self.soft_icl, to, source, both=True)


def _contrast(loss: Spec, weight: float, to: str, source: str = "", *, both: bool = False) -> Edge:
    return Edge(loss=loss, to=to, source=source, weight=Curve(end=weight), both=both)
