"""Steps through the family of schedules."""

import json

import pytest

from evonas.genome.schedule import Curve, Granularity, Schedule
from evonas.morph.schedule_walk import walked
from evonas.seeds import stream


@pytest.mark.parametrize("granularity", ["filter", "weight"])
def test_a_walk_stays_within_the_family_and_never_stands_still(granularity: Granularity) -> None:
    rng = stream(0)
    schedule = Schedule(granularity=granularity)
    seen: dict[str, set[str]] = {}
    for _ in range(400):
        after = walked(schedule, rng)
        assert after != schedule
        assert Schedule.from_json(json.loads(json.dumps(after.to_json()))) == after
        for name, value in after.to_json().items():
            seen.setdefault(name, set()).add(json.dumps(value))
        schedule = after
    moving = {name for name, values in seen.items() if len(values) > 1}
    assert moving == {
        *("rate", "alpha", "beta", "criterion", "interval", "momentum_reset", "regrowth_cap")
    }


def test_a_walk_changes_one_thing() -> None:
    schedule = Schedule(alpha=Curve(kind="linear", start=1.0, until=0.5))
    for seed in range(30):
        after = walked(schedule, stream(seed)).to_json()
        assert sum(after[name] != value for name, value in schedule.to_json().items()) == 1
