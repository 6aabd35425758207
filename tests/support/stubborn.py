"""A search that insists: on one child that fails, alone or among others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from support.tiny_search import Tiny
from torch import Tensor, nn

from evonas.controllers.controller import Controller, Question
from evonas.genome import Birth
from evonas.history import History
from evonas.networks import Network, Signatures
from evonas.seeds import Rng, stream
from evonas.trainer import Context, Trained, Trainer


@final
@dataclass(frozen=True, kw_only=True)
class Stubborn(Controller):
    """Proposes the same child of the seed, or at times the seed itself.

    Attributes:
        repeats: How often the seed is proposed.
    """

    source: ClassVar[str] = "none"

    repeats: float = 0.0

    def propose(self, history: History, question: Question, number: int, rng: Rng) -> Birth:
        parent, seed = history[0].birth.genome, int(rng.integers(1000))
        if rng.random() < self.repeats:
            return Birth(parent, "again", (0,), seed)
        mutation = question.mutations["widen"]
        edit = mutation.propose(parent, stream(question.seed, "child"))
        assert edit is not None, "a layer can be widened"
        return Birth(mutation.apply(parent, edit), "widen", (0,), seed)


@final
@dataclass(frozen=True, kw_only=True)
class OnlySeed(Trainer):
    """Trains as `Tiny` does what has the seed's number of parameters; of others the loss is none.

    Attributes:
        parameters: Of the seed.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}

    parameters: int = 9

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        return Tiny().prepare(seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return Tiny().signatures(prepared)

    def train(self, model: nn.Module, context: Context) -> Trained:
        trained = Tiny().train(model, context)
        if sum(one.numel() for one in model.parameters()) != self.parameters:
            raise FloatingPointError("the loss is not finite")
        return trained

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        return Tiny().test(model, context)
