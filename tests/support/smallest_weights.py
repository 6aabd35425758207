"""A rule of pruning for single weights: at the end the smallest go."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.pruning_plan import PruningPlan
from evonas_trainers.slots import Criterion, Pruner, Pruning


@final
@dataclass(frozen=True)
class Smallest(Pruning):
    """Lets the smallest weights go when training is over."""

    paper: ClassVar[str] = "none"

    def start(self, model: nn.Module, plan: PruningPlan, generator: torch.Generator) -> Pruner:
        return _Smallest(model, plan)


@final
class _Smallest(Pruner):
    def __init__(self, model: nn.Module, plan: PruningPlan) -> None:
        self.companion = nn.ModuleList()
        self.model, self.plan = model, plan

    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:
        return criterion(self.model(inputs))

    def before_step(self, optimizer: Optimizer, progress: float) -> None:
        pass

    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        pass

    @torch.no_grad()
    def finish(self, optimizer: Optimizer) -> None:
        for name, keep in self.plan.weights.items():
            weight = self.model.get_parameter(name)
            weakest = weight.abs().flatten().argsort()[: weight.numel() - keep]
            stays = torch.ones(weight.numel())
            stays[weakest] = 0
            weight.mul_(stays.reshape(weight.shape))
