"""A rule of pruning that tries the harder half of its contract: two paths, and a companion."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.pruning_plan import PruningPlan
from evonas_trainers.slots import Criterion, Pruner, Pruning


@final
@dataclass(frozen=True, kw_only=True)
class TwoPaths(Pruning):
    """Trains a second head on the first one's outputs, and writes down how it is called."""

    paper: ClassVar[str] = "none"
    log: str

    def start(self, model: nn.Module, plan: PruningPlan, generator: torch.Generator) -> Pruner:
        return _TwoPathPruner(Path(self.log), model)


@final
class _TwoPathPruner(Pruner):
    def __init__(self, log: Path, model: nn.Module) -> None:
        self.head = nn.Linear(3, 3)
        self.companion = nn.ModuleList([self.head])
        self.start = self.head.weight.detach().clone()
        self.log, self.model = log, model

    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:
        self._note("loss")
        outputs = self.model(inputs)
        return criterion(outputs) + criterion(self.head(outputs))

    def before_step(self, optimizer: Optimizer, progress: float) -> None:
        assert self.head.weight.grad is not None
        self._note("before")

    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        self._note("after")

    def finish(self, optimizer: Optimizer) -> None:
        assert not torch.equal(self.head.weight, self.start)
        self._note("finish")

    def _note(self, call: str) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{call} ")
