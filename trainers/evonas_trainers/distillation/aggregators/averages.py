"""Virtual teachers without parameters: the mean of the members, and the least of their logits.

`mean` in logit space is the teacher of many online methods, among them the plain one of "Online
Knowledge Distillation via Collaborative Learning", Guo et al., 2020, CVPR,
https://openaccess.thecvf.com/content_CVPR_2020/html/Guo_Online_Knowledge_Distillation_via_Collaborative_Learning_CVPR_2020_paper.html;
`min-logit` is of that paper. A mean of logits is sharp where one member is sure; a mean of
probabilities keeps every member's opinion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from torch import Tensor
from torch.nn import functional as F

from evonas.aggregation import Aggregation, Combination
from evonas.errors import ConfigError
from evonas.genome.cohort_kinds import AggregatorKind
from evonas.genome.shapes import Shape
from evonas_trainers.distillation.aggregators.mixture import log_mixture
from evonas_trainers.distillation.losses.divergence import check_temperatures

_KDCL = (
    "Online Knowledge Distillation via Collaborative Learning, Guo et al., 2020, "
    "https://openaccess.thecvf.com/content_CVPR_2020/html/"
    "Guo_Online_Knowledge_Distillation_via_Collaborative_Learning_CVPR_2020_paper.html"
)


@final
@dataclass(frozen=True, kw_only=True)
class Mean(Aggregation):
    """The mean of the inputs.

    Attributes:
        space: What is averaged: logits, or probabilities softened by the temperature.
        temperature: Of the probabilities; without effect on logits.
    """

    paper: ClassVar[str] = _KDCL
    kind: ClassVar[AggregatorKind] = AggregatorKind()

    space: Literal["logit", "prob"] = "logit"
    temperature: float = 4.0

    def __post_init__(self) -> None:
        check_temperatures(temperature=self.temperature)
        if self.space not in {"logit", "prob"}:
            raise ConfigError(f"space is 'logit' or 'prob', given {self.space!r}")

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:  # noqa: ARG002
        """Make the module; it has no weights."""
        return _MeanOfLogits() if self.space == "logit" else _MeanOfOpinions(self.temperature)


@final
@dataclass(frozen=True)
class MinLogit(Aggregation):
    """The least logit of each class, the true class's being 0: the hardest teacher of all."""

    paper: ClassVar[str] = _KDCL
    kind: ClassVar[AggregatorKind] = AggregatorKind(needs_labels=True)

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:  # noqa: ARG002
        """Make the module; it has no weights."""
        return _LeastLogits()


@final
class _MeanOfLogits(Combination):
    def forward(
        self,
        inputs: Sequence[Tensor],
        queries: Sequence[Tensor],  # noqa: ARG002
        labels: Tensor,  # noqa: ARG002
    ) -> Tensor:
        return torch.stack([*inputs]).mean(0)

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(target, labels)


@final
class _MeanOfOpinions(Combination):
    def __init__(self, temperature: float) -> None:
        super().__init__()
        self._temperature = temperature

    def forward(
        self,
        inputs: Sequence[Tensor],
        queries: Sequence[Tensor],  # noqa: ARG002
        labels: Tensor,  # noqa: ARG002
    ) -> Tensor:
        even = inputs[0].new_zeros(len(inputs[0]), len(inputs))
        return self._temperature * log_mixture(inputs, even, self._temperature)

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(target / self._temperature, labels)


@final
class _LeastLogits(Combination):
    def forward(
        self,
        inputs: Sequence[Tensor],
        queries: Sequence[Tensor],  # noqa: ARG002
        labels: Tensor,
    ) -> Tensor:
        rows = torch.stack([*inputs])
        true = labels.expand(len(inputs), -1).unsqueeze(2)
        return (rows - rows.gather(2, true)).amin(0)

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(target, labels)
