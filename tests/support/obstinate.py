"""A candidate that no exception ends, and a mirror that takes all the time it is given."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, final

from support.tiny_search import Tiny
from torch import Tensor, nn

from evonas.history import Individual
from evonas.networks import Network, Signatures
from evonas.tracking.tracker import Mirror, SearchInfo, Tracker
from evonas.trainer import Context, Trained, Trainer


@final
@dataclass(frozen=True, kw_only=True)
class Obstinate(Trainer):
    """Trains for ever, whatever happens, once it has said so."""

    paper: ClassVar[str] = "none"
    accepts: ClassVar[type] = Network
    metrics: ClassVar[Mapping[str, str]] = {"error": "min"}

    lr: float = 0.05

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        return Tiny().prepare(seed)

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        return Tiny().signatures(prepared)

    def train(self, model: nn.Module, context: Context) -> Trained:
        os.write(1, b"training\n")
        while True:
            with suppress(BaseException):
                time.sleep(60)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        raise AssertionError("it is never trained")


@final
@dataclass(frozen=True, kw_only=True)
class Slow(Tracker):
    """A tracking system whose every search closes as slowly as it may."""

    def start(self, search: SearchInfo) -> Mirror:
        del search
        return _SlowMirror()


@final
class _SlowMirror(Mirror):
    def finished(self, individual: Individual) -> None:
        """Take it in."""

    def close(self, front: Sequence[int], timeout: float) -> str:
        os.write(1, b"closing\n")
        time.sleep(timeout)
        return ""
