"""A search whose candidates train in milliseconds, for tests of the engine around them."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.controllers.controller import Controller, Question
from evonas.genome import Birth
from evonas.history import History
from evonas.networks import Network, Signature, Signatures
from evonas.seeds import Rng, stream
from evonas.state import State
from evonas.trainer import Context, Stopped, Trained, Trainer

TINY: Mapping[str, Any] = {
    "births": 12,
    "lookahead": 3,
    "durability": "flush",
    "objectives": {"error": "min", "macs": "min"},
    "space": {"name": "mlp", "hidden": 2, "max_width": 16},
    "trainer": "support.tiny_search:Tiny",
    "controller": {"name": "eena", "population": 4, "controls": 1},
    "executor": "serial",
    "tracker": "none",
    "genes": {"lr": {"low": 0.01, "high": 0.2, "log": True}},
}
"""The table of its run file."""


@final
@dataclass(frozen=True, kw_only=True)
class Repeating(Controller):
    """Proposes each mutant of the seed three times over, to be trained from the same seed."""

    source: ClassVar[str] = "none"

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        del rng
        draws = stream(question.seed, "third", number // 3)
        mutation = question.mutations["widen"]
        parent = history[0].birth.genome
        edit = mutation.propose(parent, draws)
        assert edit is not None, "a layer can be widened"
        return Birth(mutation.apply(parent, edit), "widen", (0,), seed=int(draws.integers(1000)))


@final
@dataclass(frozen=True, kw_only=True)
class Tiny(Trainer):
    """A few steps towards a fixed random map of two numbers to one.

    Attributes:
        lr: Learning rate of SGD.
        steps: On half of the data each.
        worst: The error from which training counts as diverged.
        seconds: That a training lasts longer, so that there is time to end it.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}

    lr: float = 0.05
    steps: int = 3
    worst: float = math.inf
    seconds: float = 0.0

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        made = torch.Generator().manual_seed(seed)
        x = torch.randn(64, 2, generator=made)
        return {"x": x, "y": x.prod(dim=1, keepdim=True)}

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return {"net": Signature((prepared["x"].shape[1],), (1,))}

    def train(self, model: nn.Module, context: Context) -> Trained:
        x, y = context.prepared["x"], context.prepared["y"]
        optimizer = torch.optim.SGD(model.parameters(), lr=self.lr, momentum=0.9)
        if context.inherited is not None:
            context.inherited.restore_optimizer(model, optimizer)
        draws = torch.Generator().manual_seed(context.seed)
        samples, stopped = 0, False
        for step in range(self.steps):
            rows = torch.randperm(len(x), generator=draws)[:32]
            optimizer.zero_grad()
            F.mse_loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
            samples += len(rows)
            error = self._error(model, context)
            if error > self.worst:
                raise FloatingPointError(f"error {error:.3f} after step {step}")
            try:
                context.report(step, error=error)
            except Stopped:
                stopped = True
                break
        time.sleep(self.seconds)
        state = State.of(model, optimizer)
        return Trained(self.test(model, context), samples, state, stopped)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        return {"error": self._error(model, context)}

    def _error(self, model: nn.Module, context: Context) -> float:
        with torch.no_grad():
            return float(F.mse_loss(model(context.prepared["x"]), context.prepared["y"]))
