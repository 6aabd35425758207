"""Losses between the outputs of two networks.

`kl` is "Distilling the Knowledge in a Neural Network", Hinton, Vinyals and Dean, 2015,
https://arxiv.org/abs/1503.02531; at temperature 1 it is the term of "Deep Mutual Learning", Zhang
et al., 2018, https://arxiv.org/abs/1706.00384. `mse-logits` is "Comparing Kullback-Leibler
Divergence and Mean Squared Error Loss in Knowledge Distillation", Kim et al., 2021,
https://arxiv.org/abs/2105.08919: the limit of `kl` for high temperatures, times 2 x classes, if the
logits of a sample sum to zero.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from evonas.genome.cohort_kinds import LossKind
from evonas.transfer import Transfer
from evonas_trainers.distillation.losses.divergence import check_temperatures, divergence


@final
@dataclass(frozen=True, kw_only=True)
class SoftLabels(Transfer):
    """Match the source's softened probabilities.

    Attributes:
        temperature: That softens both.
    """

    paper: ClassVar[str] = (
        "Distilling the Knowledge in a Neural Network, Hinton, Vinyals and Dean, 2015, "
        "https://arxiv.org/abs/1503.02531"
    )
    kind: ClassVar[LossKind] = LossKind(ends="logits", temperature=4.0)

    temperature: float = 4.0

    def __post_init__(self) -> None:
        check_temperatures(temperature=self.temperature)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the divergence, times the temperature's square."""
        assert source is not None
        return divergence(to, source, self.temperature)


@final
@dataclass(frozen=True)
class LogitDistance(Transfer):
    """Match the source's logits: their squared distance."""

    paper: ClassVar[str] = (
        "Comparing Kullback-Leibler Divergence and Mean Squared Error Loss in Knowledge "
        "Distillation, Kim et al., 2021, https://arxiv.org/abs/2105.08919"
    )
    kind: ClassVar[LossKind] = LossKind(ends="logits")

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the squared differences, summed over classes."""
        assert source is not None
        return (to - source).square().sum(1)
