"""The four terms of mutual contrastive learning.

"Online Knowledge Distillation via Mutual Contrastive Learning for Visual Recognition", Yang et al.,
2022, https://arxiv.org/abs/2207.11518 (first as "Mutual Contrastive Learning for Visual
Representation Learning", https://arxiv.org/abs/2104.12565). With unit embeddings v of networks a
and b, S_ab = v_a v_b^T / tau. Samples of one class attract each other within a network (`vcl`, on
S_aa) and between networks (`icl`, on S_ab); the rows of S_aa are drawn to those of S_bb
(`soft-vcl`), and those of S_ab to those of its transpose (`soft-icl`), as softened probabilities.

A pair of networks has an edge of `icl`, `soft-vcl` and `soft-icl` each way. As in the authors' code
a sample is neither a positive nor a negative of itself, in `icl` its other embedding neither, while
the soft terms keep the diagonal. Unlike there, logarithms of sums are taken by logsumexp, and a
sample without another of its class in the batch costs 0 instead of NaN.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from evonas.genome.cohort_kinds import LossKind
from evonas.transfer import Transfer
from evonas_trainers.distillation.losses.divergence import check_temperatures, divergence
from evonas_trainers.distillation.losses.lengths import unit

_MCL = (
    "Online Knowledge Distillation via Mutual Contrastive Learning for Visual Recognition, "
    "Yang et al., 2022, https://arxiv.org/abs/2207.11518"
)


@final
@dataclass(frozen=True, kw_only=True)
class Contrast(Transfer):
    """Bring samples of one class together in a network's own space.

    Attributes:
        tau: By which similarities are divided.
    """

    paper: ClassVar[str] = _MCL
    kind: ClassVar[LossKind] = LossKind(
        ends="vectors", has_source=False, adapts="embed", per_class=2, weight=0.1
    )

    tau: float = 0.1

    def __post_init__(self) -> None:
        check_temperatures(tau=self.tau)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:
        """Return by how much samples of the same class are unlikely among all others."""
        assert source is None
        return _contrast(_similarities(to, to, self.tau), targets)


@final
@dataclass(frozen=True, kw_only=True)
class MutualContrast(Transfer):
    """Bring samples close to those of the same class in another network's space.

    Attributes:
        tau: By which similarities are divided.
    """

    paper: ClassVar[str] = _MCL
    kind: ClassVar[LossKind] = LossKind(ends="vectors", adapts="embed", per_class=2, weight=0.1)

    tau: float = 0.1

    def __post_init__(self) -> None:
        check_temperatures(tau=self.tau)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:
        """Return by how much the source's samples of the same class are unlikely for anchors."""
        assert source is not None
        return _contrast(_similarities(to, source, self.tau), targets)


@final
@dataclass(frozen=True, kw_only=True)
class SoftContrast(Transfer):
    """Find alike what the source finds alike.

    Attributes:
        tau: By which similarities are divided.
        temperature: That softens what they are turned into.
    """

    paper: ClassVar[str] = _MCL
    kind: ClassVar[LossKind] = LossKind(ends="vectors", adapts="embed", temperature=3.0)

    tau: float = 0.1
    temperature: float = 3.0

    def __post_init__(self) -> None:
        check_temperatures(tau=self.tau, temperature=self.temperature)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the divergence between the rows of both networks' similarities."""
        assert source is not None
        mine, its = (_similarities(one, one, self.tau) for one in (to, source))
        return divergence(mine, its, self.temperature)


@final
@dataclass(frozen=True, kw_only=True)
class SoftMutualContrast(Transfer):
    """See the source's samples as the source sees this network's.

    The target is made of both ends, and no gradient goes through it.

    Attributes:
        tau: By which similarities are divided.
        temperature: That softens what they are turned into.
    """

    paper: ClassVar[str] = _MCL
    kind: ClassVar[LossKind] = LossKind(ends="vectors", adapts="embed", temperature=3.0)

    tau: float = 0.1
    temperature: float = 3.0

    def __post_init__(self) -> None:
        check_temperatures(tau=self.tau, temperature=self.temperature)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the divergence between the rows of the mutual similarities and its columns."""
        assert source is not None
        mutual = _similarities(to, source, self.tau)
        return divergence(mutual, mutual.detach().T, self.temperature)


def _similarities(anchors: Tensor, others: Tensor, tau: float) -> Tensor:
    """Return the cosine of each anchor with each of the others, over tau: (batch, batch)."""
    return unit(anchors) @ unit(others).T / tau


def _contrast(similarities: Tensor, targets: Tensor) -> Tensor:
    """Return -mean_{p in P(i)} log(e^{S_ip} / sum_{j != i} e^{S_ij}) for every i.

    P(i) holds the other samples of i's class; where it is empty the mean is 0. The diagonal
    is filled by a finite number: in a batch of one, minus infinity would give NaN.
    """
    itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    positive = (targets.unsqueeze(0) == targets.unsqueeze(1)) & ~itself
    among_others = similarities.masked_fill(itself, torch.finfo(similarities.dtype).min)
    surprise = among_others.logsumexp(1, keepdim=True) - similarities
    return (surprise * positive).sum(1) / positive.sum(1).clamp_min(1)
