"""A virtual teacher that knows which of its members to ask about which sample.

"Adaptive Multi-Teacher Multi-level Knowledge Distillation" (AMTML-KD), Liu, Zhang and Wang, 2020,
https://arxiv.org/abs/2103.04062. Teacher t has a latent factor theta_t; a sample's factor beta is
the maximum over positions of the student's last map. Scores are v^T (theta_t * beta), weights their
softmax over teachers, and the target is the mixture of the teachers' softened probabilities.

As published, the factors learn by the student's own loss, which draws the mixture towards what the
student says already: with experts for three kinds of inputs, the right one was found for 0.1 % of
the samples, and for 53 to 72 % where factors learn by the labels' likelihood under the mixture
(benchmarks/cohort_amtml.py). An aggregator that learns from `edges` is the published form, one that
learns from `labels` the other.

Differences: the maximum is of the map, where the authors' code takes that of its average; v starts
smaller, so that no teacher is out of the question at first; the penalty belongs to the labels'
likelihood, and factors that learn from edges have none but the optimizer's weight decay. It is 0.01
and not 0.1: with maps of values about 1 the published one was measured to draw all factors to zero,
where every teacher counts alike for ever, and a tenth of it to find every expert.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.aggregation import Aggregation, Combination
from evonas.errors import ConfigError
from evonas.genome.cohort_kinds import AggregatorKind
from evonas.genome.shapes import Shape
from evonas_trainers.distillation.aggregators.mixture import log_mixture
from evonas_trainers.distillation.losses.divergence import check_temperatures


@final
@dataclass(frozen=True, kw_only=True)
class LatentFactors(Aggregation):
    """A mixture of the inputs' probabilities, weighed by what the learner sees in a sample.

    Attributes:
        temperature: That softens the probabilities.
        penalty: Of the squares of all factors, beside the labels' likelihood.
    """

    paper: ClassVar[str] = (
        "Adaptive Multi-Teacher Multi-level Knowledge Distillation, Liu, Zhang and Wang, 2020, "
        "https://arxiv.org/abs/2103.04062"
    )
    kind: ClassVar[AggregatorKind] = AggregatorKind(
        queries="one", query_ends="maps", has_parameters=True
    )

    temperature: float = 5.0
    penalty: float = 0.01

    def __post_init__(self) -> None:
        check_temperatures(temperature=self.temperature)
        if self.penalty < 0:
            raise ConfigError(f"penalty needs a number of at least 0, given {self.penalty!r}")

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:
        """Make a factor for each input, as wide as the map has channels."""
        return _LatentMixture(self, num_inputs=len(inputs), channels=queries[0][0])


@final
class _LatentMixture(Combination):
    def __init__(self, settings: LatentFactors, num_inputs: int, channels: int) -> None:
        super().__init__()
        self._settings = settings
        self.factors = nn.Parameter(torch.randn(num_inputs, channels))
        self.readout = nn.Parameter(torch.randn(channels) / channels**0.5)

    def forward(
        self,
        inputs: Sequence[Tensor],
        queries: Sequence[Tensor],
        labels: Tensor,  # noqa: ARG002
    ) -> Tensor:
        seen = queries[0].amax((2, 3))
        scores = (seen * self.readout) @ self.factors.T
        self.weights = torch.softmax(scores.detach(), 1)
        temperature = self._settings.temperature
        return temperature * log_mixture(inputs, scores, temperature)

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        """Return the labels' surprise under the mixture, and the penalty on the factors."""
        surprise = F.cross_entropy(target / self._settings.temperature, labels)
        squares = self.factors.square().sum() + self.readout.square().sum()
        return surprise + self._settings.penalty * squares
