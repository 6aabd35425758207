"""How pruning goes on over a training: one family of schedules, of which the methods are points.

At every event the weakest filters are multiplied by alpha(t); between events they take beta(t) of
the optimizer's step; how many they are follows the rate curve P(t). Hard, soft, asymptotic,
softened and gradually hard filter pruning differ in these three curves only. Time t runs from 0 to
1, the end of the training.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, final

from evonas.errors import ConfigError

CurveKind = Literal["constant", "linear", "cosine", "cubic", "exponential"]
Criterion = Literal["l1", "l2", "geometric-median", "taylor", "bn-scale"]
Granularity = Literal["filter", "weight"]
Residual = Literal["inner", "coupled"]

SETTLED = 0.75
"""When alpha must have reached 0: the last quarter trains the network that is handed over."""


@final
@dataclass(frozen=True, kw_only=True)
class Curve:
    """A number over the training: from `start` to `end`, which it reaches at `until` and keeps.

    Attributes:
        kind: `constant` is `end` throughout; `cubic` (Zhu and Gupta, 2017) and `exponential` (ASFP,
            He et al., 2019) go fast first.
        start: The number at the beginning.
        end: The number from `until` on.
        until: Part of the training, above 0 and at most 1.
        steepness: Of the exponential; at 11.09 it is three quarters there in an eighth of the time.
    """

    kind: CurveKind = "constant"
    start: float = 0.0
    end: float = 0.0
    until: float = 1.0
    steepness: float = 11.09

    def __post_init__(self) -> None:
        if not 0 < self.until <= 1 or self.steepness <= 0:
            raise ConfigError(f"a curve needs 0 < until <= 1 and steepness > 0, given {self!r}")

    def at(self, progress: float) -> float:
        """Return the number when `progress` (0 to 1) of the training is done."""
        passed = min(1.0, max(0.0, progress) / self.until)
        if self.kind == "constant" or passed == 1.0:
            return self.end
        return self.start + (self.end - self.start) * self._way(passed)

    def _way(self, passed: float) -> float:
        """Return how much of the way is done, from 0 to 1."""
        match self.kind:
            case "cosine":
                return (1 - math.cos(math.pi * passed)) / 2
            case "cubic":
                return 1 - (1 - passed) ** 3
            case "exponential":
                return -math.expm1(-self.steepness * passed) / -math.expm1(-self.steepness)
            case _:
                return passed


@final
@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One way to prune while training; inherited as a unit.

    Attributes:
        preset: The published method it is, or started as; empty for none.
        rule: What becomes of pruned weights' gradients: a name of the group `evonas.pruning`, with
            its fields.
        rate: Which share of all that is to go is pruned, from 0 to 1.
        alpha: What pruned weights are multiplied by at an event; 0 at `SETTLED` and from then on.
        beta: Which part of the optimizer's step pruned weights take; while it is 0, what is pruned
            stays pruned.
        criterion: What a filter or weight is ranked by.
        granularity: Whether filters are pruned, which can be removed, or single weights.
        residual: Whether channels that sums tie to other layers' stay (`inner`), or are pruned
            together with those (`coupled`).
        begin: Part of the training before the first event.
        interval: Optimizer steps from one event to the next.
        momentum_reset: Whether an event clears the momentum of what it prunes.
        regrowth_cap: A pruned filter's gradient is scaled down to at most so many times the mean
            norm of the kept ones'; 0 for never. In front of a batch norm it is hundreds of times
            larger, and one step would make the weakest filters the strongest.
    """

    preset: str = ""
    rule: Mapping[str, Any] = field(default_factory=lambda: {"name": "soft"})
    rate: Curve = field(default_factory=lambda: Curve(end=1.0))
    alpha: Curve = field(default_factory=Curve)
    beta: Curve = field(default_factory=lambda: Curve(end=1.0))
    criterion: Criterion = "l2"
    granularity: Granularity = "filter"
    residual: Residual = "inner"
    begin: float = 0.0
    interval: int = 16
    momentum_reset: bool = True
    regrowth_cap: float = 1.0

    def __post_init__(self) -> None:
        if self.alpha.end != 0 or (self.alpha.kind != "constant" and self.alpha.until > SETTLED):
            raise ConfigError(
                f"alpha is {self.alpha!r}; it must reach 0 at {SETTLED} of the training, or the"
                " network that is trained is not the one that is handed over"
            )
        if self.rate.end != 1:
            raise ConfigError(
                f"rate ends at {self.rate.end!r}, should end at 1: it is a share of all that goes"
            )
        for name, curve in (("rate", self.rate), ("alpha", self.alpha), ("beta", self.beta)):
            if not (0 <= curve.start <= 1 and 0 <= curve.end <= 1):
                raise ConfigError(f"{name} goes from {curve.start!r} to {curve.end!r}, give 0 to 1")
        if self.interval < 1 or self.regrowth_cap < 0 or not 0 <= self.begin < 1:
            raise ConfigError(
                f"interval is {self.interval!r}, regrowth_cap {self.regrowth_cap!r} and begin"
                f" {self.begin!r}; give 1 or more, 0 or more, and 0 to 1"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the schedule as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Schedule":
        """Read what `to_json` wrote."""
        curves: dict[str, Any] = {name: Curve(**data[name]) for name in ("rate", "alpha", "beta")}
        return cls(**{**data, **curves})
