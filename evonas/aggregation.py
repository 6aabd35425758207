"""The contract of an aggregation: how several ends of a cohort make one target."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from evonas.genome.cohort_kinds import AggregatorKind
from evonas.genome.shapes import Shape


class Combination(nn.Module, ABC):
    """An aggregation at work in one training.

    Attributes:
        weights: Of the inputs as last used, (batch, inputs), for diagnostics; with a row for every
            input, (inputs, batch, inputs). None where nothing is weighed.
    """

    weights: Tensor | None = None

    @abstractmethod
    def forward(
        self, inputs: Sequence[Tensor], queries: Sequence[Tensor], labels: Tensor
    ) -> Tensor:
        """Return the target, shaped as an input is; with rows, one for each input, (inputs, ...).

        Of logits it returns logits; a mixture of probabilities softened by a temperature T returns
        T times its logarithm, which a loss with the same temperature softens back to the mixture.
        """

    @abstractmethod
    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        """Return by how much the labels are unlikely under a target that `forward` returned.

        That is the negative log-likelihood, averaged over the batch, with any penalty on the
        parameters; it trains an aggregator that learns from labels.
        """


class Aggregation(ABC):
    """A way to make one target of several. Implementations are final, frozen dataclasses.

    The fields are what an aggregator's `rule` may say.

    Attributes:
        paper: Title, authors, year, link.
        kind: What its aggregators need.
    """

    group: ClassVar[str] = "evonas.aggregators"
    paper: ClassVar[str]
    kind: ClassVar[AggregatorKind]

    @abstractmethod
    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:
        """Make the module, with fresh weights from torch's global generator (seeded before).

        Args:
            inputs: The shapes of its inputs, batch left out.
            queries: The shapes of its queries.
        """
