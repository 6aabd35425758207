"""The contract of a transfer loss: what an edge of a cohort costs.

One convention holds for all, so that weights mean the same everywhere: a loss has a value for every
sample, and whoever asks for it averages over the batch, perhaps with weights; divergences of
softened probabilities are multiplied by the temperature's square; a weight does not depend on a
map's size: squared differences are summed over the positions of maps of unit length, and averaged
over those of others.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from evonas.genome.cohort_kinds import LossKind


class Transfer(ABC):
    """A loss between two ends, or of one. Implementations are final, frozen dataclasses.

    The fields are what an edge's `loss` may say; `temperature`, if there is such a field, may
    evolve. The source is detached before it comes here, unless the edge says otherwise.

    Attributes:
        paper: Title, authors, year, link.
        kind: What its edges need.
    """

    group: ClassVar[str] = "evonas.transfer"
    paper: ClassVar[str]
    kind: ClassVar[LossKind]

    @abstractmethod
    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:
        """Return the loss of every sample, (batch,), twice differentiable; the batch's is the mean.

        Where a loss is of several samples together, its value belongs to one of them: the anchor of
        a contrast, the row of a matrix, the middle of a triple.

        Args:
            to: The end that learns, float32, (batch, ...); a head's output, not normalised, where
                the kind embeds.
            source: The end it learns from, of the same shape unless the kind's `adapts` is `free`;
                None if the kind has no source.
            targets: The labels, (batch,).
        """
