"""What a search allows its pruning genes to become."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from evonas.errors import ConfigError
from evonas.genome.schedule import Schedule

Ratios = Literal["free", "uniform", "affine"]


@final
@dataclass(frozen=True)
class Target:
    """What a rebuilt network may have: repair brings it to a number drawn from `low` to `high`.

    Attributes:
        measure: `macs` or `parameters`.
        low: The least number that is drawn.
        high: The largest; the same for a fixed target.
    """

    measure: Literal["macs", "parameters"]
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise ConfigError(f"a target needs 0 < low <= high, given {self!r}")


@final
@dataclass(frozen=True, kw_only=True)
class PruningOptions:
    """The question, as far as it concerns pruning.

    Attributes:
        schedules: Where genes start (the first), and what they may jump to.
        target: What all genes are repaired to; None to let the search find how much to prune.
        ratios: Whether each group has a count of its own, all keep one ratio, or the counts come of
            one ranking of all filters by a x norm + b with (a, b) for each group (LeGR).
        pruned_ratio: From and to which share of all channels (or single weights) a first pruning
            goes where there is no target.
        least_ratio: Share of its channels that a group keeps at least; one channel always stays.
        norms: For `affine`: the L2 norms of the filters of each group, summed over its layers.
    """

    schedules: tuple[Schedule, ...] = (Schedule(),)
    target: Target | None = None
    ratios: Ratios = "free"
    pruned_ratio: tuple[float, float] = (0.2, 0.6)
    least_ratio: float = 0.1
    norms: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        low, high = self.pruned_ratio
        if not self.schedules or not 0 < low <= high < 1 or not 0 <= self.least_ratio < 1:
            raise ConfigError(
                "pruning needs a schedule, 0 < pruned_ratio < 1 (two numbers, the lower first) and"
                f" 0 <= least_ratio < 1, given {self!r}"
            )
        if self.target is None and high > 1 - self.least_ratio:
            raise ConfigError(
                f"pruned_ratio goes to {high!r}, and least_ratio = {self.least_ratio!r} must stay;"
                " lower one of them"
            )
        single = [one.preset for one in self.schedules if one.granularity == "weight"]
        if single and (self.target is not None or self.ratios == "affine"):
            raise ConfigError(
                f"the schedule {single[0]!r} prunes single weights, which changes neither MACs nor"
                " the number of parameters and ranks no filters; give pruned_ratio and no target,"
                " and ratios other than 'affine'"
            )
