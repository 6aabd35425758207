"""Decision attention: for each policy a target made of all, weighed for every state.

"Online Policy Distillation with Decision-Attention" (OPD-DA), Yu et al., 2024,
https://arxiv.org/abs/2406.05488. There is no official code, and the text could not be had: the
abstract and summaries say that a module of cross-attention gives each policy weights of its own,
and that these weigh the policies' decisions and features. The formulas are ours:

    w_mn = softmax_n((Wq_m F_m)^T (Wk F_n) / sqrt(d)),   O~_m = sum_n w_mn O_n,   F~_m likewise,

with F_m the vector that policy m's last layer reads, O_m its decisions, Wq_m of each policy and Wk
of all (of those with equal width). O, F and what the projections read are detached, and the weights
are not: the losses of the learners train the projections and move no teacher. Decisions and
features are weighed by projections of their own. Features of another width than the first policy's
come to its width by learned maps.

Where a policy may attend to itself, attention learns to do just that: nothing is nearer to O_m than
O_m, so weights trained by the losses of the learners end there, and every policy learns alone. With
`mask_self` the sum is of the others, as the abstract has it and the preset `opd-da` asks for; of
two policies each then has the other whole. Benchmarks have both.
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

_PAPER = (
    "reconstructed from the abstract: Online Policy Distillation with Decision-Attention, Yu et "
    "al., 2024, https://arxiv.org/abs/2406.05488"
)


@final
@dataclass(frozen=True, kw_only=True)
class DecisionAttention(Aggregation):
    """For each policy the decisions of all, weighed by how its query meets their keys.

    Attributes:
        width: Of queries and keys.
        mask_self: Whether a policy leaves itself out.
    """

    paper: ClassVar[str] = _PAPER
    kind: ClassVar[AggregatorKind] = AggregatorKind(
        queries="each", has_rows=True, has_parameters=True, detaches=True
    )

    width: int = 32
    mask_self: bool = False

    def __post_init__(self) -> None:
        _check_width(self.width)

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:  # noqa: ARG002
        """Make the projections: of queries one for each policy, of keys one for each width.

        Raises:
            ConfigError: if a lone policy shall leave itself out.
        """
        return _Attended(_Weights(queries, self.width, mask_self=self.mask_self), ())


@final
@dataclass(frozen=True, kw_only=True)
class FeatureAttention(Aggregation):
    """For each policy the features of all, weighed by how its query meets their keys.

    Attributes:
        width: Of queries and keys.
        mask_self: Whether a policy leaves itself out.
        is_even: Whether all weigh the same instead, itself included.
    """

    paper: ClassVar[str] = _PAPER
    kind: ClassVar[AggregatorKind] = AggregatorKind(
        inputs="vectors",
        queries="each",
        has_rows=True,
        has_parameters=True,
        adapts=True,
        detaches=True,
    )

    width: int = 32
    mask_self: bool = False
    is_even: bool = False

    def __post_init__(self) -> None:
        _check_width(self.width)

    def start(self, inputs: Sequence[Shape], queries: Sequence[Shape]) -> Combination:
        """Make the projections, and a map for each policy whose features are of another width.

        Raises:
            ConfigError: if a lone policy shall leave itself out.
        """
        (wanted,) = inputs[0]
        maps = [
            nn.Identity() if features == wanted else nn.Linear(features, wanted)
            for (features,) in inputs
        ]
        if self.is_even:
            return _Attended(_Even(), maps)
        return _Attended(_Weights(queries, self.width, mask_self=self.mask_self), maps)


@final
class _Weights(nn.Module):
    """Weights of all policies for each, (policies, batch, policies)."""

    def __init__(self, shapes: Sequence[Shape], width: int, *, mask_self: bool) -> None:
        super().__init__()
        if mask_self and len(shapes) < 2:
            raise ConfigError("mask_self leaves a lone policy nobody; give another input")
        self._scale, self._mask_self = width**-0.5, mask_self
        widths = [features for (features,) in shapes]
        self.queries = nn.ModuleList(nn.Linear(one, width, bias=False) for one in widths)
        self.keys = nn.ModuleDict(
            {str(one): nn.Linear(one, width, bias=False) for one in sorted(set(widths))}
        )

    def forward(self, seen: Sequence[Tensor]) -> Tensor:
        asking = torch.stack([query(one) for query, one in zip(self.queries, seen, strict=True)])
        asked = torch.stack([self.keys[str(one.shape[1])](one) for one in seen])
        scores = self._scale * torch.einsum("mbd,nbd->mbn", asking, asked)
        if self._mask_self:
            itself = torch.eye(len(seen), dtype=torch.bool, device=scores.device)
            scores = scores.masked_fill(itself.unsqueeze(1), -torch.inf)
        return torch.softmax(scores, 2)


@final
class _Even(nn.Module):
    """The same weight for all."""

    def forward(self, seen: Sequence[Tensor]) -> Tensor:
        number = len(seen)
        return seen[0].new_full((number, len(seen[0]), number), 1 / number)


@final
class _Attended(Combination):
    def __init__(self, weights: nn.Module, maps: Sequence[nn.Module]) -> None:
        super().__init__()
        self.weighing, self.maps = weights, nn.ModuleList(maps)

    def forward(
        self,
        inputs: Sequence[Tensor],
        queries: Sequence[Tensor],
        labels: Tensor,  # noqa: ARG002
    ) -> Tensor:
        weights = self.weighing([one.detach() for one in queries])
        self.weights = weights.detach()
        values = [one.detach() for one in inputs]
        if len(self.maps):
            values = [bring(one) for bring, one in zip(self.maps, values, strict=True)]
        return torch.einsum("mbn,nbc->mbc", weights, torch.stack(values))

    def label_loss(self, target: Tensor, labels: Tensor) -> Tensor:
        """Return the mean of all rows'."""
        return F.cross_entropy(target.flatten(0, 1), labels.repeat(len(target)))


def _check_width(width: int) -> None:
    if width < 1:
        raise ConfigError(f"width needs a whole number above 0, given {width!r}")
