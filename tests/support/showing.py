"""A trainer that has something to show, and may fail to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from support.tiny_search import Tiny
from torch import Tensor, nn

from evonas.networks import Network, Signatures
from evonas.trainer import Context, Trained, Trainer

PNG = b"\x89PNG\r\n\x1a\n"


@final
@dataclass(frozen=True, kw_only=True)
class Showing(Trainer):
    """Trains as `Tiny` does.

    Attributes:
        lr: Of `Tiny`.
        trouble: What goes wrong with its picture, if anything does.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = Tiny.metrics

    lr: float = 0.05
    trouble: str = ""

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        return self._inner.prepare(seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return self._inner.signatures(prepared)

    def train(self, model: nn.Module, context: Context) -> Trained:
        return self._inner.train(model, context)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        return self._inner.test(model, context)

    def pictures(self, model: nn.Module, context: Context) -> Mapping[str, bytes]:
        if self.trouble:
            raise RuntimeError(self.trouble)
        assert not model.training
        outputs = model(context.prepared["x"])
        noise = torch.rand(1).item()
        return {f"mean {outputs.mean().item():.6f}, noise {noise:.6f}": PNG}

    @property
    def _inner(self) -> Tiny:
        return Tiny(lr=self.lr)
