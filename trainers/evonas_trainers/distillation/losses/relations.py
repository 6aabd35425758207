"""Losses between the shapes that a batch has in two output spaces.

"Relational Knowledge Distillation", Park et al., 2019, https://arxiv.org/abs/1904.05068: what is
matched is not the outputs o_i but the distances between them, |o_i - o_j| in units of their mean,
and the angles they form, cos(o_i - o_j, o_k - o_j), each by a Huber loss. AMTML-KD uses the angles
of outputs. As in the authors' code, entries of a sample with itself are 0 on both sides and counted
in the mean.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor
from torch.nn import functional as F

from evonas.genome.cohort_kinds import LossKind
from evonas.transfer import Transfer
from evonas_trainers.distillation.losses.lengths import lengths, unit

EPSILON = 1e-12
"""The least mean distance that others are measured by."""

_RKD = "Relational Knowledge Distillation, Park et al., 2019, https://arxiv.org/abs/1904.05068"


@final
@dataclass(frozen=True)
class Angle(Transfer):
    """Match the angles of all triples of outputs; memory grows with the batch's cube."""

    paper: ClassVar[str] = _RKD
    kind: ClassVar[LossKind] = LossKind(ends="logits", max_batch=128, weight=0.5)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the Huber loss between the cosines at every sample, averaged over pairs."""
        assert source is not None
        return F.smooth_l1_loss(_angles(to), _angles(source), reduction="none").mean((1, 2))


@final
@dataclass(frozen=True)
class Distance(Transfer):
    """Match the distances of all pairs of outputs."""

    paper: ClassVar[str] = _RKD
    kind: ClassVar[LossKind] = LossKind(ends="logits", weight=0.5)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the Huber loss between the distances from every sample, averaged."""
        assert source is not None
        return F.smooth_l1_loss(_distances(to), _distances(source), reduction="none").mean(1)


def _differences(outputs: Tensor) -> Tensor:
    """Return o_i - o_j at [j, i]."""
    return outputs.unsqueeze(0) - outputs.unsqueeze(1)


def _angles(outputs: Tensor) -> Tensor:
    """Return the cosine at j of the angle to i and k, at [j, i, k]."""
    directions = unit(_differences(outputs), dim=2)
    return directions @ directions.transpose(1, 2)


def _distances(outputs: Tensor) -> Tensor:
    """Return the distances, in units of the mean of those that are not 0."""
    apart = lengths(_differences(outputs), dim=2)
    mean = apart.sum() / apart.count_nonzero().clamp_min(1)
    return apart / mean.clamp_min(EPSILON)
