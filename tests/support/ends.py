"""A trainer that comes to the end it is told, after it has reported."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from support.tiny_search import Tiny
from torch import Tensor, nn

from evonas.networks import Network, Signatures
from evonas.trainer import Context, Trained, Trainer

End = Literal["nan loss", "nan metric", "no memory", "no tensor", "exception", "full disk"]


@final
@dataclass(frozen=True, kw_only=True)
class Ends(Trainer):
    """Trains as `Tiny` does; children come to an end.

    Attributes:
        lr: As of `Tiny`.
        end: Of every child.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}

    lr: float = 0.05
    end: End = "exception"

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        return Tiny().prepare(seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return Tiny().signatures(prepared)

    def train(self, model: nn.Module, context: Context) -> Trained:
        trained = Tiny(lr=self.lr).train(model, context)
        if context.inherited is None:
            return trained
        match self.end:
            case "nan loss":
                raise FloatingPointError("the loss is nan")
            case "nan metric":
                context.report(9, error=float("nan"))
            case "no memory":
                raise MemoryError
            case "no tensor":
                _ = torch.empty(10**15)
            case "exception":
                json.loads("{")
            case "full disk":
                raise OSError(28, "No space left on device")
        raise AssertionError

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        return Tiny().test(model, context)
