"""A search in which some candidates come to a bad end, the first time or every time."""

import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, final

from support.tiny_search import Tiny
from torch import Tensor, nn

from evonas.networks import Network, Signatures
from evonas.trainer import Context, Trained, Trainer

UNLUCKY = 3
"""A child in so many is in trouble, by its seed."""


@final
@dataclass(frozen=True, kw_only=True)
class Troubled(Trainer):
    """Trains as `Tiny` does, in trouble.

    Attributes:
        lr: As of `Tiny`.
        trouble: By `die` the unlucky are killed the first time, by `steal` the first of them takes
            the weights of the run away; `whole` is the training of whole batches, for which there
            is no memory.
        folder: Where a note is left of what happens but once, and stolen goods.
    """

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}
    accumulates: ClassVar[bool] = True

    lr: float = 0.05
    trouble: Literal["die", "steal", "whole"] = "whole"
    folder: str = ""

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        return Tiny().prepare(seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return Tiny().signatures(prepared)

    def train(self, model: nn.Module, context: Context) -> Trained:
        trained = Tiny(lr=self.lr).train(model, context)
        if context.inherited is not None and context.seed % UNLUCKY == 0:
            self._suffer(context)
        return trained

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        return Tiny().test(model, context)

    def _suffer(self, context: Context) -> None:
        folder = Path(self.folder)
        match self.trouble:
            case "whole" if context.parts == 1:
                raise MemoryError("a whole batch is too much")
            case "die" if _is_first(folder / f"{context.seed} died"):
                os.kill(os.getpid(), signal.SIGKILL)
            case "steal" if _is_first(folder / "theft"):
                shutil.move(folder / "run" / "weights", folder / "stolen")
                (folder / "run" / "weights").mkdir()
            case _:
                pass


def _is_first(note: Path) -> bool:
    """Return whether nobody has left the note before; leave it."""
    is_first = not note.exists()
    note.touch()
    return is_first
