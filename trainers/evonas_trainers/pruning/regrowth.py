"""The cap on the gradients of pruned filters.

A filter that is zero in front of a batch norm in training mode has its gradient divided by the
square root of the norm's epsilon, that is multiplied by 316. One step then makes it the
strongest of all, the next event prunes those that were kept, and training falls apart (42 % instead
of 94 % on the digits, a ResNet-8 pruned across its sums, an event every 72 steps). No paper says
so: they have hundreds of steps from one event to the next, in which the others catch up.
"""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from evonas_trainers.pruning.channels import Channels


@final
class RegrowthCap:
    """Scales gradients of pruned filters down to `cap` times the mean norm of the kept ones'.

    Norms are per tensor and row; those of all tensors are laid in one line, in which each pair of
    group and tensor is a segment with a mean of its own.
    """

    def __init__(self, cap: float, groups: Sequence[Channels]) -> None:
        self._cap = cap
        self._segments = [(place, one) for place, g in enumerate(groups) for one in g.weights]
        self._tensors = list({one.tensor: None for _, one in self._segments})
        self._lengths = [len(tensor) for tensor in self._tensors]
        starts, start = dict[nn.Parameter, int](), 0
        for tensor in self._tensors:
            starts[tensor], start = start, start + len(tensor)
        first = self._tensors[0]
        device, dtype = first.device, first.dtype
        self._rows = [one.places + starts[one.tensor] for _, one in self._segments]
        self._segment = torch.zeros(start, dtype=torch.int64, device=device)
        for number, rows in enumerate(self._rows):
            self._segment[rows.flatten()] = number
        self._mean = torch.zeros(len(self._segments), start, device=device, dtype=dtype)
        self._bound = torch.full((start,), torch.inf, device=device, dtype=dtype)

    def prune(self, pruned: Sequence[Tensor], kept: Sequence[Tensor]) -> None:
        """Take note of which channels are pruned, and which are kept, of each group."""
        self._mean.zero_()
        self._bound.fill_(torch.inf)
        for number, (rows, (group, _)) in enumerate(zip(self._rows, self._segments, strict=True)):
            staying = rows.index_select(0, kept[group]).flatten()
            self._mean[number].index_fill_(0, staying, 1 / len(staying))
            self._bound.index_fill_(0, rows.index_select(0, pruned[group]).flatten(), self._cap)

    def apply(self) -> None:
        """Scale the gradients there are, in place."""
        gradients = [
            torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
            for tensor in self._tensors
        ]
        norms = torch.cat([_norms(gradient) for gradient in gradients])
        allowed = (self._mean @ norms).index_select(0, self._segment).mul_(self._bound)
        tiny = torch.finfo(norms.dtype).tiny
        factors = allowed.div_(norms.clamp_min_(tiny)).nan_to_num_(1).clamp_max_(1)
        for gradient, factor in zip(gradients, factors.split(self._lengths), strict=True):
            gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))


def _norms(gradient: Tensor) -> Tensor:
    """Return the norm of each row."""
    return torch.linalg.vector_norm(gradient, dim=tuple(range(1, gradient.ndim)))
