"""What a search may not ask of pruning."""

import pytest

from evonas.errors import ConfigError
from evonas.genome.schedule import Schedule
from evonas.morph.prune_options import PruningOptions, Ratios, Target

SOFT = Schedule(preset="soft")
SPARSE = Schedule(preset="sparse", granularity="weight")
HALF = Target("macs", 1000, 1000)


@pytest.mark.parametrize(
    ("ratios", "schedules", "target", "high", "reason"),
    [
        ("free", (SPARSE,), HALF, 0.5, "'sparse' prunes single weights"),
        ("affine", (SOFT, SPARSE), None, 0.5, "'sparse' prunes single weights"),
        ("free", (SOFT,), None, 0.95, "least_ratio = 0.1 must stay"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    ratios: Ratios,
    schedules: tuple[Schedule, ...],
    target: Target | None,
    high: float,
    reason: str,
) -> None:
    with pytest.raises(ConfigError, match=reason):
        PruningOptions(schedules=schedules, target=target, ratios=ratios, pruned_ratio=(0.2, high))
