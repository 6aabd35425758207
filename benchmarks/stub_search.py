"""A search whose candidates cost nothing, to measure the engine around them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from evonas.controllers.controller import Controller, Question
from evonas.genome import Birth
from evonas.history import History
from evonas.networks import Network, Signature, Signatures
from evonas.seeds import Rng
from evonas.trainer import Context, Trained, Trainer

STUB: Mapping[str, Any] = {
    "name": "stub",
    "objectives": {"error": "min"},
    "space": {"name": "mlp", "hidden": 2, "max_width": 16},
    "trainer": "stub_search:Stub",
    "controller": "stub_search:Distinct",
    "tracker": "none",
    "durability": "flush",
}
"""The table of its run file."""


@final
@dataclass(frozen=True, kw_only=True)
class Stub(Trainer):
    """Judges by a draw, without training."""

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}

    number: int = 0

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        """Return data of which nobody makes use."""
        del seed
        return {"x": torch.zeros(1, 2)}

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return a network from two numbers to one."""
        del prepared
        return {"net": Signature((2,), (1,))}

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Return the draw; there is no state to keep."""
        return Trained(self.test(model, context), samples=0, state=None)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Return the draw."""
        del model
        draws = torch.Generator().manual_seed(context.seed)
        return {"error": float(torch.rand(1, generator=draws))}


@final
@dataclass(frozen=True, kw_only=True)
class Distinct(Controller):
    """Gives every birth its number as a setting, so that no two are the same evaluation.

    Its notes say how many individuals it was shown.
    """

    source: ClassVar[str] = "none"

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        """Return the latest individual's child."""
        del question
        genome = history[0].birth.genome.with_settings({"number": number})
        seed = int(rng.integers(2**31))
        return Birth(genome, "distinct", (history[-1].number,), seed, {"shown": len(history)})
