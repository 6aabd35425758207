"""A small network, plans for it made by hand, and a loop that calls a pruner as a trainer does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from evonas.genome.schedule import Schedule
from evonas.pruning_plan import PlannedGroup, PruningPlan
from evonas_trainers.slots import Pruner, Pruning

WEIGHTS: Mapping[str, int] = {"0.weight": 20, "3.weight": 60}
"""What plans for single weights keep, of 54 and of 216."""


def network(seed: int = 3) -> nn.Sequential:
    """Return two convolutions with batch norms, and a classifier."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 3),
        )


def batch() -> tuple[Tensor, Tensor]:
    """Return inputs and labels, always the same."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(12, 1, 6, 6, generator=generator), torch.arange(12) % 3


def weight_plan(
    model: nn.Module, schedule: Schedule, keep: Mapping[str, int] = WEIGHTS
) -> PruningPlan:
    """Plan to prune single weights."""
    return PruningPlan(
        schedule=replace(schedule, granularity="weight"),
        weights=keep,
        compacted=lambda state: (model, state),
    )


def filter_plan(model: nn.Module, schedule: Schedule, first: int, second: int) -> PruningPlan:
    """Plan to keep so many filters of the first convolution, and so many of the second."""
    columns = {
        "0": {"3.weight": np.arange(6)[:, None]},
        "3": {"8.weight": np.arange(16).reshape(4, 4)},
    }
    groups = tuple(
        PlannedGroup(
            name=f"net/{layer}:0",
            size=size,
            keep=keep,
            weights={f"{layer}.weight": np.arange(size)[:, None]},
            rows={
                name: np.arange(size)[:, None]
                for name in (f"{layer}.weight", f"{layer}.bias", f"{norm}.weight", f"{norm}.bias")
            },
            norms=(f"{norm}.weight",),
            columns=columns[layer],
        )
        for layer, norm, size, keep in (("0", "1", 6, first), ("3", "4", 4, second))
    )
    return PruningPlan(schedule=schedule, groups=groups, compacted=lambda state: (model, state))


def optimizer_of(name: Literal["sgd", "adamw"], *modules: nn.Module) -> Optimizer:
    """Return an optimizer with momentum and weight decay."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=0.01)
    return torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1)


@final
@dataclass
class Training:
    """A training under way, `steps` long if it goes to its end."""

    model: nn.Module
    pruner: Pruner
    optimizer: Optimizer
    steps: int
    done: int = 0

    @classmethod
    def begin(
        cls,
        rule: Pruning,
        plan: PruningPlan,
        model: nn.Module,
        optimizer: Literal["sgd", "adamw"] = "sgd",
        steps: int = 12,
    ) -> "Training":
        """Start the rule, and the optimizer for the model and the companion."""
        pruner = rule.start(model, plan, torch.Generator().manual_seed(1))
        return cls(model, pruner, optimizer_of(optimizer, model, pruner.companion), steps)

    @property
    def progress(self) -> float:
        """The part of the training that is done."""
        return self.done / self.steps

    def backward(self) -> None:
        """Do a step's part before the optimizer: the loss and its gradients."""
        inputs, targets = batch()
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.pruner.loss(inputs, lambda out: F.cross_entropy(out, targets), self.progress)
        loss.backward()

    def step(self) -> None:
        """Do what is left of a step."""
        self.pruner.before_step(self.optimizer, self.progress)
        self.optimizer.step()
        self.pruner.after_step(self.optimizer, self.progress)
        self.done += 1

    def run(self, after_step: Callable[[], object] = lambda: None) -> None:
        """Train to the end and finish."""
        while self.done < self.steps:
            self.backward()
            self.step()
            after_step()
        self.pruner.finish(self.optimizer)
