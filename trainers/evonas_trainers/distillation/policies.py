"""Policies that learn from one another: what they decide, and the features they decide by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.cohort import Aggregator, Cohort, Edge, Node, Spec, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.edges import (
    candidate,
    divergence,
    end,
    live,
    peers,
    require,
    task,
)
from evonas_trainers.distillation.losses.divergence import check_temperatures

_DECISIONS, _FEATURES = "decisions", "features"


@final
@dataclass(frozen=True, kw_only=True)
class OpdDa(CohortPreset):
    """Online policy distillation: peers, and for each a target that it attends to, of the others.

    Reconstructed: there is no official code, and of the text only the abstract and summaries could
    be had. They have a loss of three parts (the algorithm's own, one of decisions, one of features)
    and attention that gives each policy weights of its own for the others; coefficients and
    temperature are ours. With classifiers, decisions are logits.

    Of two policies each has one other, of weight 1: attention then has nothing to choose or to
    learn, and they teach each other whole. It takes three for it to say anything.

    Attributes:
        policies: That learn together, the candidate among them.
        decision_weight: Of the divergence from the decisions that a policy attends to.
        feature_weight: Of the squared difference from the features.
        temperature: By which decisions are divided; the divergence is multiplied by its square.
        aggregation: How targets are weighed: `others` is attention to the other policies;
            `attention` is to all of them, and each then learns to attend to itself alone; `mean` is
            the plain mean of all, which the paper says makes them alike.
    """

    paper: ClassVar[str] = (
        "reconstructed from the abstract: Online Policy Distillation with Decision-Attention, Yu "
        "et al., 2024, https://arxiv.org/abs/2406.05488"
    )

    policies: int = 2
    decision_weight: float = 1.0
    feature_weight: float = 0.1
    temperature: float = 1.0
    aggregation: Literal["others", "attention", "mean"] = "others"

    def __post_init__(self) -> None:
        check_temperatures(temperature=self.temperature)
        if self.policies < 2:
            raise ConfigError(
                f"policies is {self.policies!r}; one alone learns without [cohort], so give 2 or"
                " more"
            )
        if self.decision_weight < 0 or self.feature_weight < 0:
            raise ConfigError(f"weights are 0 or more, given {self!r}")
        if self.aggregation not in {"others", "attention", "mean"}:
            raise ConfigError(
                f"aggregation is 'others', 'attention' or 'mean', given {self.aggregation!r}"
            )

    def cohort(self, available: Available) -> Cohort:
        """Return one stage in which all learn, each by its own task and from the others."""
        gap = require(available.taps, "gap")
        nodes = {**candidate(role="peer"), **peers(self.policies - 1)}
        aggregators = self._aggregators(tuple(nodes), gap)
        return Cohort(
            preset="opd-da",
            nodes=nodes,
            aggregators=aggregators,
            edges=live(self._edges(nodes, gap)),
            stages=(Stage(train=(*nodes, *aggregators)),),
        )

    def _aggregators(self, nodes: tuple[str, ...], gap: str) -> Mapping[str, Aggregator]:
        """Return who makes the targets that a loss is for."""
        vectors = tuple(end(node, gap) for node in nodes)
        logits = tuple(end(node) for node in nodes)
        rules: Mapping[str, tuple[Spec, Spec]] = {
            "others": (
                {"name": "decision-attention", "mask_self": True},
                {"name": "feature-attention", "mask_self": True},
            ),
            "attention": ({"name": "decision-attention"}, {"name": "feature-attention"}),
            "mean": ({"name": "mean"}, {"name": "feature-attention", "is_even": True}),
        }
        decisions, features = rules[self.aggregation]
        found: dict[str, Aggregator] = {}
        if self.decision_weight:
            queries = () if self.aggregation == "mean" else vectors
            found[_DECISIONS] = Aggregator(rule=decisions, inputs=logits, queries=queries)
        if self.feature_weight:
            found[_FEATURES] = Aggregator(rule=features, inputs=vectors, queries=vectors)
        return found

    def _edges(self, nodes: Mapping[str, Node], gap: str) -> Iterator[Edge]:
        for node in nodes:
            yield task(end(node))
            weight = Curve(end=self.decision_weight)
            yield divergence(end(node), _DECISIONS, self.temperature, weight)
            yield Edge(
                loss={"name": "features"},
                to=end(node, gap),
                source=_FEATURES,
                weight=Curve(end=self.feature_weight),
            )
