"""Dense weights that are trained behind a model that shows them masked.

Between steps the model's weights are w (m + alpha (1 - m)), so whoever looks at it - the loss, the
judge, a cohort - sees the pruned network. The optimizer's step is taken on w, decay and
momentum included.
"""

from typing import final

import torch
from torch import nn
from torch.optim import Optimizer

from evonas.pruning_plan import PruningPlan
from evonas_trainers.pruning.masks import Masks, Ranking, clear, masks


@final
class HiddenWeights:
    """The dense weights, the masks and the events of one training.

    Call `reveal` before the optimizer's step, or earlier if the loss is made of w itself, and
    `advance` after it.

    Attributes:
        masks: What is kept now.
        parameters: The model's parameters that are masked, by name.
        kept: Their masks as numbers, 1 for what is kept.
        alpha: What is shown of a pruned weight, as of the last event.
    """

    def __init__(
        self, model: nn.Module, plan: PruningPlan, ranking: Ranking, *, are_biases_masked: bool
    ) -> None:
        self.masks: Masks = masks(model, plan, ranking, are_biases_masked=are_biases_masked)
        self.parameters = {name: model.get_parameter(name) for name in self.masks.kept}
        self.alpha = 0.0
        self._schedule = plan.schedule
        self._shown = [parameter.detach() for parameter in self.parameters.values()]
        self._dense = [shown.clone() for shown in self._shown]
        self.kept = {
            name: kept.to(shown.dtype)
            for (name, kept), shown in zip(self.masks.kept.items(), self._shown, strict=True)
        }
        self._factors = list(self.kept.values())
        self._steps, self._rate, self._is_frozen = 0, 0.0, False

    def restrain(self) -> None:
        """Cap the gradients of pruned filters, if the schedule says so."""
        self.masks.restrain()

    def reveal(self) -> None:
        """Put the dense weights into the model."""
        for shown, dense in zip(self._shown, self._dense, strict=True):
            shown.copy_(dense)

    def advance(self, optimizer: Optimizer, progress: float) -> None:
        """Take what the step made of the dense weights; prune if it is time; hide them again."""
        beta = self._schedule.beta.at(progress)
        self._is_frozen = beta == 0
        if beta < 1:
            self._hold_back(beta)
        is_event = self._steps % self._schedule.interval == 0 and progress >= self._schedule.begin
        self._steps += 1
        if is_event:
            self._prune(optimizer, progress)
        for shown, dense, factor in zip(self._shown, self._dense, self._factors, strict=True):
            dense.copy_(shown)
            shown.mul_(factor)

    def finish(self, optimizer: Optimizer) -> None:
        """Prune for good, to what the plan keeps: by the last masks, if they are of full rate."""
        self.reveal()
        if self._rate < 1:
            self.masks.update(1.0, is_frozen=self._is_frozen)
        self.masks.settle(optimizer)

    def _prune(self, optimizer: Optimizer, progress: float) -> None:
        self._rate = self._schedule.rate.at(progress)
        self.masks.update(self._rate, is_frozen=self._is_frozen)
        self.alpha = self._schedule.alpha.at(progress)
        for name, kept in self.kept.items():
            kept.copy_(self.masks.kept[name])
        self._factors = [kept.clamp_min(self.alpha) for kept in self.kept.values()]
        if self._schedule.momentum_reset:
            for name, parameter in self.parameters.items():
                clear(optimizer, parameter, self.masks.kept[name])

    def _hold_back(self, beta: float) -> None:
        """Let pruned weights take only a part of the step."""
        masks = self.masks.kept.values()
        for shown, dense, kept in zip(self._shown, self._dense, masks, strict=True):
            shown.copy_(torch.where(kept, shown, dense.lerp(shown, beta)))
