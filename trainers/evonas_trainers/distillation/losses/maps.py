"""Losses between feature maps; a weight does not depend on a map's size.

`hint` is "FitNets: Hints for Thin Deep Nets", Romero et al., 2015, https://arxiv.org/abs/1412.6550:
the map itself, after a learned adapter. `attention` is "Paying More Attention to Attention",
Zagoruyko and Komodakis, 2017, https://arxiv.org/abs/1612.03928: where the energy is. `z-attention`
is of "Embedded Knowledge Distillation in Depth-Level Dynamic Neural Network", Zhao et al., 2021,
https://arxiv.org/abs/2103.00793, in the form that the same group's later code gives it: where the
channels' sum is high.

Differences: squared differences are averaged where entries have a scale of their own (`hint`,
`z-attention`), and summed over positions where a map has unit length (`attention`): published code
averages there too, so that its weights grow with the map. Maps of unlike height or width meet at
the smaller of both, by averages of neighbours.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor
from torch.nn import functional as F

from evonas.genome.cohort_kinds import LossKind
from evonas.transfer import Transfer
from evonas_trainers.distillation.losses.lengths import unit

EPSILON = 1e-6
"""Below this a map's standard deviation is that of a flat map."""


@final
@dataclass(frozen=True)
class Hint(Transfer):
    """Match the source's map, through a learned adapter where shapes differ."""

    paper: ClassVar[str] = (
        "FitNets: Hints for Thin Deep Nets, Romero et al., 2015, https://arxiv.org/abs/1412.6550"
    )
    kind: ClassVar[LossKind] = LossKind(ends="maps", adapts="match")

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the mean squared difference."""
        assert source is not None
        return (to - source).square().flatten(1).mean(1)


@final
@dataclass(frozen=True)
class Attention(Transfer):
    """Look where the source looks: match the energy of positions, whatever the channels."""

    paper: ClassVar[str] = (
        "Paying More Attention to Attention, Zagoruyko and Komodakis, 2017, "
        "https://arxiv.org/abs/1612.03928"
    )
    kind: ClassVar[LossKind] = LossKind(ends="maps", adapts="free")

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the squared distance of the two unit-length maps."""
        assert source is not None
        mine, its = _at_one_size(to.square().mean(1), source.square().mean(1))
        distance = unit(mine.flatten(1)) - unit(its.flatten(1))
        return distance.square().sum(1)


@final
@dataclass(frozen=True)
class StandardAttention(Transfer):
    """Match the standardised sum of the channels at each position."""

    paper: ClassVar[str] = (
        "mechanism of the abstract: Embedded Knowledge Distillation in Depth-Level Dynamic Neural "
        "Network, Zhao et al., 2021, https://arxiv.org/abs/2103.00793"
    )
    kind: ClassVar[LossKind] = LossKind(ends="maps", adapts="free", weight=0.1)

    def loss(self, to: Tensor, source: Tensor | None, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return the mean squared difference of the two standardised maps."""
        assert source is not None
        mine, its = _at_one_size(to.sum(1), source.sum(1))
        return (_standardised(mine) - _standardised(its)).square().mean(1)


def _at_one_size(mine: Tensor, its: Tensor) -> tuple[Tensor, Tensor]:
    """Bring two maps, (batch, height, width), to the smaller height and width of both."""
    size = (min(mine.shape[1], its.shape[1]), min(mine.shape[2], its.shape[2]))
    return _shrunk(mine, size), _shrunk(its, size)


def _shrunk(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return maps if maps.shape[1:] == size else F.adaptive_avg_pool2d(maps, size)


def _standardised(maps: Tensor) -> Tensor:
    """Give every map mean 0 and standard deviation 1 over its positions; 0 if it is flat.

    The variance is bounded before its root, whose gradient at 0 would not be finite.
    """
    centred = (maps - maps.mean((1, 2), keepdim=True)).flatten(1)
    variance = centred.square().mean(1, keepdim=True)
    return centred / variance.clamp_min(EPSILON**2).sqrt()
