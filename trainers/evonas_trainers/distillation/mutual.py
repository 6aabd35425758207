"""Learning from one another: networks or branches that are trained together, without a teacher."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE, Aggregator, Cohort, Edge, Node, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import (
    candidate,
    divergence,
    end,
    maps,
    mutual,
    peers,
    ramp,
    require,
    task,
)

_ENSEMBLE = "ensemble"


@final
@dataclass(frozen=True, kw_only=True)
class Dml(CohortPreset):
    """Deep mutual learning: every network learns from the labels and from every other's output.

    Differs from the authors' code: all networks step at once, where theirs have an optimizer each;
    the divergences are averaged over the others, as the paper has it and the code has not.

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
        divergences = (
            divergence(end(to), end(source), self.temperature, weight)
            for to, source in mutual(nodes)
        )
        return Cohort(
            preset="dml",
            nodes=nodes,
            edges=(*_labels(nodes), *divergences),
            stages=(Stage(train=tuple(nodes)),),
        )


@final
@dataclass(frozen=True, kw_only=True)
class One(CohortPreset):
    """On-the-fly native ensemble: branches of one network, and a gate that makes them a teacher.

    The branches share all stages but the last. Differs from the authors' code: the weight rises
    along a cosine, where theirs does along exp(-5 (1 - t)^2).

    Attributes:
        branches: Beside the candidate's own.
        temperature: By which logits are divided.
        weight: Of the divergence from the ensemble, when it has risen.
        ramp_until: Part of the training at which it has.
    """

    paper: ClassVar[str] = (
        "Knowledge Distillation by On-the-Fly Native Ensemble, Lan, Zhu and Gong, 2018, "
        "https://arxiv.org/abs/1806.04606"
    )

    branches: int = 2
    temperature: float = 3.0
    weight: float = 1.0
    ramp_until: float = 0.27

    def cohort(self, available: Available) -> Cohort:
        """Return one stage; the ensemble learns from the labels, too, which trains the gate."""
        if self.branches < 1:
            raise ConfigError(f"branches is {self.branches!r}; an ensemble needs at least 1 more")
        trunk = maps(available.taps, "seed network", at_least=2)[-2]
        view = Node(kind="view", role="peer", of=CANDIDATE, trunk=trunk)
        views = {f"branch{number}": view for number in range(1, self.branches + 1)}
        nodes = {**candidate(), **views}
        gate = Aggregator(
            rule={"name": "gate"}, inputs=_logits(nodes), queries=(end(CANDIDATE, trunk),)
        )
        weight = ramp(self.weight, self.ramp_until)
        return Cohort(
            preset="one",
            nodes=nodes,
            aggregators={_ENSEMBLE: gate},
            edges=(*_labels(nodes), task(_ENSEMBLE), *_lessons(nodes, self.temperature, weight)),
            stages=(Stage(train=(*nodes, _ENSEMBLE)),),
        )


@final
@dataclass(frozen=True, kw_only=True)
class Kdcl(CohortPreset):
    """Collaborative learning: networks that see the batch differently, and one target of all.

    Reconstructed: the text could not be had; the rules are those it is known for. Of its four,
    those that need the labels or nothing are here; two fit weights on validation data. The weight
    of the divergence is a public reimplementation's.

    Attributes:
        members: Networks that are trained beside the candidate.
        rule: How the target is made: the smallest of the logits less that of the true class, or
            their mean.
        temperature: By which logits are divided.
        weight: Of the divergence from the target.
    """

    paper: ClassVar[str] = (
        "Online Knowledge Distillation via Collaborative Learning, Guo et al., 2020, "
        "https://openaccess.thecvf.com/content_CVPR_2020/html/"
        "Guo_Online_Knowledge_Distillation_via_Collaborative_Learning_CVPR_2020_paper.html"
    )

    members: int = 1
    rule: Literal["min-logit", "mean"] = "min-logit"
    temperature: float = 2.0
    weight: float = 1.0

    def cohort(self, available: Available) -> Cohort:  # noqa: ARG002 - a contract
        """Return one stage in which all learn from the ensemble."""
        nodes = {**candidate(), **peers(self.members, own_view=True)}
        weight = Curve(end=self.weight)
        return Cohort(
            preset="kdcl",
            nodes=nodes,
            aggregators={_ENSEMBLE: Aggregator(rule={"name": self.rule}, inputs=_logits(nodes))},
            edges=(*_labels(nodes), *_lessons(nodes, self.temperature, weight)),
            stages=(Stage(train=tuple(nodes)),),
        )


@final
@dataclass(frozen=True, kw_only=True)
class OkdDip(CohortPreset):
    """Diverse peers: each has a teacher of its own, by attention; a leader learns from their mean.

    The candidate is the leader, the peers are networks of their own (the paper's other variant has
    branches). Targets are not detached, as in the authors' code: what a peer is taught moves its
    teachers, and is all that trains the attention. Differs from it: the weight rises along a
    cosine, where theirs does along exp(-5 (1 - t)^2).

    Attributes:
        members: Peers, without the leader.
        temperature: By which logits are divided.
        weight: Of the divergences, when it has risen.
        ramp_until: Part of the training at which it has.
    """

    paper: ClassVar[str] = (
        "Online Knowledge Distillation with Diverse Peers, Chen et al., 2019, "
        "https://arxiv.org/abs/1912.00350"
    )

    members: int = 3
    temperature: float = 3.0
    weight: float = 1.0
    ramp_until: float = 0.27

    def cohort(self, available: Available) -> Cohort:
        """Return one stage with both levels of teaching."""
        group, gap = peers(self.members, at_least=2), require(available.taps, "gap")
        nodes = {**candidate(role="leader"), **group}
        attention = Aggregator(
            rule={"name": "attention"},
            inputs=_logits(group),
            queries=tuple(end(name, gap) for name in group),
        )
        mean = Aggregator(rule={"name": "mean"}, inputs=_logits(group))
        weight = ramp(self.weight, self.ramp_until)
        sources = {CANDIDATE: "mean", **dict.fromkeys(group, "attention")}
        divergences = (
            divergence(end(to), source, self.temperature, weight, both=True)
            for to, source in sources.items()
        )
        return Cohort(
            preset="okddip",
            nodes=nodes,
            aggregators={"attention": attention, "mean": mean},
            edges=(*_labels(nodes), *divergences),
            stages=(Stage(train=(*nodes, "attention")),),
        )


def _logits(nodes: Iterable[str]) -> tuple[str, ...]:
    return tuple(end(name) for name in nodes)


def _labels(nodes: Iterable[str]) -> Iterable[Edge]:
    return (task(end(name)) for name in nodes)


def _lessons(nodes: Iterable[str], temperature: float, weight: Curve) -> Iterable[Edge]:
    """Return an edge from the ensemble to every node."""
    return (divergence(end(name), _ENSEMBLE, temperature, weight) for name in nodes)
