"""The straight-through rule: pruned weights are trained by the gradient of the pruned network.

"Dynamic Model Pruning with Feedback" (Lin, Stich, Barba, Dmitriev and Jaggi, 2020, ICLR,
https://arxiv.org/abs/2006.07253). With weights w and masks m the loss is that of f(w m), and the
whole gradient with respect to w m is taken for w: a weight that was pruned by mistake grows again.
Every `interval` steps the masks are those of the largest weights, of all layers together.

The paper prunes single weights. For filters the schedule's cap on regrowth holds: behind a filter
of zeros a batch norm multiplies the gradient by hundreds. Their biases stay until the end: without
them the channel would be 0, and a rectifier lets no gradient through at 0. Where the schedule's
beta falls to 0, pruned weights stop moving and pruning becomes hard, which the paper does not have.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.pruning_plan import PruningPlan
from evonas_trainers.pruning.hidden_weights import HiddenWeights
from evonas_trainers.pruning.masks import Ranking
from evonas_trainers.slots import Criterion, Pruner, Pruning


@final
@dataclass(frozen=True, kw_only=True)
class StraightThrough(Pruning):
    """Take the pruned network's gradient for all weights.

    Attributes:
        ranking: Whether single weights of all layers are ranked together (`global`), or each layer
            keeps its own count (`layer`). Filters are ranked within their group.
    """

    paper: ClassVar[str] = (
        "Dynamic Model Pruning with Feedback, Lin et al., 2020, https://arxiv.org/abs/2006.07253"
    )

    ranking: Ranking = "global"

    def start(
        self,
        model: nn.Module,
        plan: PruningPlan,
        generator: torch.Generator,  # noqa: ARG002 - nothing is drawn
    ) -> Pruner:
        """Begin with all weights kept."""
        weights = HiddenWeights(model, plan, self.ranking, are_biases_masked=False)
        return _StraightThroughPruner(model, weights)


@final
class _StraightThroughPruner(Pruner):
    """The model shows w m, so its own gradient is the one that w takes."""

    def __init__(self, model: nn.Module, weights: HiddenWeights) -> None:
        self.companion = nn.ModuleList()
        self._model, self._weights = model, weights

    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:  # noqa: ARG002
        return criterion(self._model(inputs))

    def before_step(self, optimizer: Optimizer, progress: float) -> None:  # noqa: ARG002
        self._weights.restrain()
        self._weights.reveal()

    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        self._weights.advance(optimizer, progress)

    def finish(self, optimizer: Optimizer) -> None:
        self._weights.finish(optimizer)
