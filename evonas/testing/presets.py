"""The preset contract: a valid schedule under its own name, whose rule is installed."""

import json
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from evonas.genome.schedule import SETTLED, Schedule
from evonas.plugins import from_table, load_class, names
from evonas.preset import Preset
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks

_RULES = "evonas.pruning"
_INSTANTS = 64


def preset_checks(preset: Preset) -> list[Check]:
    """Return the checks of a preset, with its fields as they are."""
    functions = [
        _the_schedule_is_the_same_every_time,
        _the_schedule_names_the_preset,
        _the_schedule_survives_json,
        _all_that_goes_has_gone_at_the_end,
        _what_is_handed_over_is_what_the_last_quarter_trains,
        _the_rule_is_installed_and_takes_its_fields,
    ]
    return [*class_checks(preset), *checks_of(preset, functions)]


def _the_schedule_is_the_same_every_time(preset: Preset) -> None:
    first, again = preset.schedule(), preset.schedule()
    assert first == again, f"`schedule()` gave {first} and then {again}"


def _the_schedule_names_the_preset(preset: Preset) -> None:
    given = preset.schedule().preset
    cls = type(preset)
    places = {f"{cls.__module__}:{cls.__qualname__}"}
    own = sorted(name for name, point in names(Preset).items() if point.value in places)
    assert given, "`preset` of the schedule is empty; the front shows it, so give the name"
    assert given in own or not own, (
        f"the schedule says it is {given!r}, and this class is registered as {own}; mutation looks "
        "presets up by that name"
    )


def _the_schedule_survives_json(preset: Preset) -> None:
    schedule = preset.schedule()
    copy = Schedule.from_json(json.loads(json.dumps(schedule.to_json())))
    assert copy == schedule, f"{copy} came out of JSON, {schedule} went in"


def _all_that_goes_has_gone_at_the_end(preset: Preset) -> None:
    schedule = preset.schedule()
    rates = [schedule.rate.at(instant / _INSTANTS) for instant in range(_INSTANTS + 1)]
    assert rates == sorted(rates), f"the rate falls on its way: {rates}"
    assert rates[-1] == 1, f"the rate is {rates[-1]} at the end of the training"


def _what_is_handed_over_is_what_the_last_quarter_trains(preset: Preset) -> None:
    alpha = preset.schedule().alpha
    for instant in range(_INSTANTS + 1):
        progress = SETTLED + (1 - SETTLED) * instant / _INSTANTS
        assert alpha.at(progress) == 0, f"alpha is {alpha.at(progress)} at {progress:.3f}"


def _the_rule_is_installed_and_takes_its_fields(preset: Preset) -> None:
    rule = dict(preset.schedule().rule)
    name = rule.pop("name", None)
    known = _rules()
    assert name in known, f"the rule is {name!r}; installed are {sorted(known)}"
    _ = from_table(load_class(known[name].value), rule, f"rule {name}")


def _rules() -> Mapping[str, EntryPoint]:
    """Return what is installed in a group that belongs to trainers, so has no contract here."""
    return {point.name: point for point in entry_points(group=_RULES)}
