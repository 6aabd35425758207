"""The suite of presets finds what is broken."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import pytest

from evonas.genome.schedule import Schedule
from evonas.preset import Preset
from evonas.testing.presets import preset_checks

COUNT = itertools.count(1)


@final
@dataclass(frozen=True)
class Made(Preset):
    """Returns what it is given."""

    paper: ClassVar[str] = "none"
    make: Callable[[], Schedule]

    def schedule(self) -> Schedule:
        """Return it."""
        return self.make()


def good() -> Schedule:
    return Schedule(preset="made")


def restless() -> Schedule:
    return Schedule(preset="made", interval=next(COUNT))


def nameless() -> Schedule:
    return Schedule()


def unknown_rule() -> Schedule:
    return Schedule(preset="made", rule={"name": "no-such-rule"})


def unknown_field() -> Schedule:
    return Schedule(preset="made", rule={"name": "soft", "strength": 2})


def no_json() -> Schedule:
    return Schedule(preset="made", rule={"name": "soft", "shape": (1, 2)})


def broken(make: Callable[[], Schedule]) -> set[str]:
    found: set[str] = set()
    for check in preset_checks(Made(make)):
        try:
            check.verify()
        except Exception:  # noqa: BLE001 - however it breaks
            found.add(check.claim)
    return found


def test_a_good_preset_keeps_its_contract() -> None:
    assert broken(good) == set()


@pytest.mark.parametrize(
    ("make", "claim"),
    [
        (restless, "the schedule is the same every time"),
        (nameless, "the schedule names the preset"),
        (no_json, "the schedule survives json"),
        (unknown_rule, "the rule is installed and takes its fields"),
        (unknown_field, "the rule is installed and takes its fields"),
    ],
)
def test_a_broken_promise_is_found(make: Callable[[], Schedule], claim: str) -> None:
    assert claim in broken(make)
