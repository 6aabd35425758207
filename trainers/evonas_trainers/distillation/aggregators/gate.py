"""A virtual teacher that weighs its members by one look at the sample.

"Knowledge Distillation by On-the-Fly Native Ensemble", Lan, Zhu and Gong, 2018,
https://arxiv.org/abs/1806.04606: the weights are softmax(BN(FC(gap(q)))) of a shared map q, and the
teacher's logits the members' so weighed; cross-entropy of the teacher trains the gate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.aggregation import Aggregation, Combination
from evonas.genome.cohort_kinds import AggregatorKind
from evonas.genome.shapes import Shape


@final
@dataclass(frozen=True)
class Gate(Aggregation):
    """The mean of the inputs' logits, weighed by a gate that sees a map."""

    paper: ClassVar[str] = (
        "Knowledge Distillation by On-the-Fly Native Ensemble, Lan, Zhu and Gong, 2018, "
        "https://arxiv.org/abs/1806.04606"
    )
    kind: ClassVar[AggregatorKind] = AggregatorKind(
        queries="one", query_ends="maps", has_parameters=True
    )

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:
        """Make the gate for the map's channels."""
        return _GatedMean(num_inputs=len(inputs), channels=queries[0][0])


@final
class _GatedMean(Combination):
    def __init__(self, num_inputs: int, channels: int) -> None:
        super().__init__()
        self.scores = nn.Linear(channels, num_inputs)
        self.norm = nn.BatchNorm1d(num_inputs)

    def forward(
        self,
        inputs: Sequence[Tensor],
        queries: Sequence[Tensor],
        labels: Tensor,  # noqa: ARG002
    ) -> Tensor:
        pooled = queries[0].mean((2, 3))
        weights = torch.softmax(self.norm(self.scores(pooled)), 1)
        self.weights = weights.detach()
        return torch.einsum("bm,bmc->bc", weights, torch.stack([*inputs], 1))

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(target, labels)
