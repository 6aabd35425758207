"""Gradual pruning of whole filters by magnitude, with the batch norm that follows them.

Filters of smallest norm go first, as in "Pruning Filters for Efficient ConvNets" (Li et al., 2016,
https://arxiv.org/abs/1608.08710); more and more of them, along the cubic curve of "To Prune, or Not
to Prune" (Zhu and Gupta, 2017, https://arxiv.org/abs/1710.01878). Unlike the first, filters are
ranked by the L2 norm and pruned while training. Unlike the usual masks of convolution weights, the
norm's scale and shift are masked too: a masked channel is 0 and not the norm's shift, so what is
masked can be removed without any change of the outputs. What is pruned stays pruned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.errors import ConfigError
from evonas_trainers.pruning.filters import Filters, removable_filters
from evonas_trainers.slots import Criterion, Pruner, Pruning


@final
@dataclass(frozen=True, kw_only=True)
class MagnitudeMask(Pruning):
    """Prune a share of the filters of every convolution whose channels can be removed.

    Attributes:
        rate: Share of the filters that is pruned at last; one filter a layer always stays.
        every: Steps from one pruning to the next.
        until: Part of the training after which no more is pruned.
    """

    paper: ClassVar[str] = (
        "To prune, or not to prune: exploring the efficacy of pruning for model compression, "
        "Zhu and Gupta, 2017, https://arxiv.org/abs/1710.01878"
    )

    rate: float = 0.3
    every: int = 16
    until: float = 0.75

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1 or self.every < 1 or not 0 < self.until <= 1:
            raise ConfigError(f"needs 0 <= rate < 1, every >= 1 and 0 < until <= 1, given {self!r}")

    def start(self, model: nn.Module, generator: torch.Generator) -> Pruner:  # noqa: ARG002
        """Find the filters that can be removed."""
        return _MagnitudePruner(self, model, removable_filters(model))


@final
class _MagnitudePruner(Pruner):
    """The masks of one training; a mask is True for what is pruned."""

    def __init__(
        self, settings: MagnitudeMask, model: nn.Module, filters: Sequence[Filters]
    ) -> None:
        self.companion = nn.ModuleList()
        self._settings, self._model, self._filters = settings, model, filters
        self._pruned = [
            torch.zeros_like(layer.convolution.weight[:, 0, 0, 0], dtype=torch.bool)
            for layer in filters
        ]
        self._steps = 0

    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:  # noqa: ARG002
        return criterion(self._model(inputs))

    def before_step(self, optimizer: Optimizer, progress: float) -> None:
        pass

    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        self._steps += 1
        if self._steps % self._settings.every == 0:
            self._prune(optimizer, min(1.0, progress / self._settings.until))
        self._zero()

    def finish(self, optimizer: Optimizer) -> None:
        self._prune(optimizer, 1.0)
        self._zero()

    def _prune(self, optimizer: Optimizer, progress: float) -> None:
        """Let the weakest filters go, those that went before first; clear their momentum."""
        rate = self._settings.rate * (1 - (1 - progress) ** 3)
        for place, layer in enumerate(self._filters):
            weight = layer.convolution.weight.detach()
            strength = weight.flatten(1).norm(dim=1).masked_fill(self._pruned[place], -1)
            weakest = strength.argsort(stable=True)[: num_pruned(len(strength), rate)]
            self._pruned[place][weakest] = True
            for parameter in layer.parameters:
                for slot in optimizer.state[parameter].values():
                    if slot.ndim:
                        slot[self._pruned[place]] = 0

    @torch.no_grad()
    def _zero(self) -> None:
        for pruned, layer in zip(self._pruned, self._filters, strict=True):
            for parameter in layer.parameters:
                parameter[pruned] = 0


def num_pruned(filters: int, rate: float) -> int:
    """Return how many of the filters a rate prunes: rounded down, safe from 0.1 * 10 < 1.

    >>> num_pruned(10, 1 - 0.9), num_pruned(20, 0.8), num_pruned(4, 0.999), num_pruned(1, 0.5)
    (1, 16, 3, 0)
    """
    return min(math.floor(filters * rate + 1e-9), filters - 1)
