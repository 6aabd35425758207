"""The loss between the vectors that two networks' last layers read.

`features` is the third term of "Online Policy Distillation with Decision-Attention", Yu et al.,
2024, https://arxiv.org/abs/2406.05488, as it is reconstructed from the abstract: MSE(F_m, F~_m).
"""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from evonas.genome.cohort_kinds import LossKind
from evonas.transfer import Transfer


@final
@dataclass(frozen=True)
class Features(Transfer):
    """Match the source's vector, through a learned map where widths differ."""

    paper: ClassVar[str] = (
        "reconstructed from the abstract: Online Policy Distillation with Decision-Attention, Yu "
        "et al., 2024, https://arxiv.org/abs/2406.05488"
    )
    kind: ClassVar[LossKind] = LossKind(ends="vectors", adapts="match", weight=0.1)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the mean squared difference."""
        assert source is not None
        return (to - source).square().mean(1)
