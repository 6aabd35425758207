"""A virtual teacher for each peer: the peers as it attends to them.

"Online Knowledge Distillation with Diverse Peers" (OKDDip), Chen et al., 2020,
https://arxiv.org/abs/1912.00350: with h_m the vector that peer m's last layer reads, peer m's
target is sum_n a_mn z_n, a_mn = softmax_n((W_q h_m)^T (W_k h_n)), with W_q and W_k shared by all
peers. Differences: peers of another width, of which the paper has none, share projections among
those of their width; `mask_self` and `is_scaled` are ours, and off as published.
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


@final
@dataclass(frozen=True, kw_only=True)
class PeerAttention(Aggregation):
    """For each input the mean of all, weighed by how its query meets their keys.

    Attributes:
        width: Of queries and keys.
        mask_self: Whether a peer leaves itself out.
        is_scaled: Whether scores are divided by the root of the width.
    """

    paper: ClassVar[str] = (
        "Online Knowledge Distillation with Diverse Peers, Chen et al., 2020, "
        "https://arxiv.org/abs/1912.00350"
    )
    kind: ClassVar[AggregatorKind] = AggregatorKind(
        queries="each", query_ends="vectors", has_rows=True, has_parameters=True
    )

    width: int = 8
    mask_self: bool = False
    is_scaled: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"width needs a whole number above 0, given {self.width!r}")

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:
        """Make the projections, a pair for each width of query.

        Raises:
            ConfigError: if a lone input shall leave itself out.
        """
        if self.mask_self and len(inputs) < 2:
            raise ConfigError("mask_self leaves a lone input nobody; give another input")
        return _Attended(self, {features for (features,) in queries})


@final
class _Attended(Combination):
    def __init__(self, settings: PeerAttention, widths: set[int]) -> None:
        super().__init__()
        self._settings = settings
        self.queries = _projections(widths, settings.width)
        self.keys = _projections(widths, settings.width)

    def forward(
        self,
        inputs: Sequence[Tensor],
        queries: Sequence[Tensor],
        labels: Tensor,  # noqa: ARG002
    ) -> Tensor:
        asking = torch.stack([self.queries[str(one.shape[1])](one) for one in queries])
        asked = torch.stack([self.keys[str(one.shape[1])](one) for one in queries])
        scores = torch.einsum("mbd,nbd->mbn", asking, asked)
        if self._settings.is_scaled:
            scores = scores / self._settings.width**0.5
        if self._settings.mask_self:
            itself = torch.eye(len(inputs), dtype=torch.bool, device=scores.device)
            scores = scores.masked_fill(itself.unsqueeze(1), -torch.inf)
        weights = torch.softmax(scores, 2)
        self.weights = weights.detach()
        return torch.einsum("mbn,nbc->mbc", weights, torch.stack([*inputs]))

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        """Return the mean of all rows'."""
        return F.cross_entropy(target.flatten(0, 1), labels.repeat(len(target)))


def _projections(widths: set[int], width: int) -> nn.ModuleDict:
    return nn.ModuleDict({str(one): nn.Linear(one, width, bias=False) for one in sorted(widths)})
