"""The contract of cohort presets: a cohort under its own name that can be trained at once."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

from evonas import plugins
from evonas.aggregation import Aggregation
from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.cohort import Cohort
from evonas.morph.cohort.check import check
from evonas.sampling import Sampler
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.sandbox import SAMPLES
from evonas.testing.small_cohorts import SmallCohort, available, small_cohorts
from evonas.transfer import Transfer

_BATCH = 64
_TASK = "task"


@final
@dataclass(frozen=True)
class _Bench:
    """A preset with the cohorts that it makes of installed spaces."""

    preset: CohortPreset

    @cached_property
    def cohorts(self) -> list[SmallCohort]:
        return list(small_cohorts(self.preset, SAMPLES, _BATCH))

    @property
    def first(self) -> SmallCohort:
        assert self.cohorts, "it has a cohort for no seed of an installed space"
        return self.cohorts[0]


def cohort_preset_checks(preset: CohortPreset) -> list[Check]:
    """Return the checks of a preset, with its fields as they are."""
    functions: list[Callable[[_Bench], None]] = [
        _the_cohort_is_the_same_every_time,
        _the_cohort_names_the_preset,
        _the_canonical_form_survives_json,
        _what_it_names_is_installed_and_takes_its_fields,
        _every_cohort_can_be_trained,
        _what_is_not_available_is_a_config_error,
    ]
    if preset.teachers:
        functions.append(_it_needs_the_teachers_that_it_says)
    return [*class_checks(preset), *checks_of(_Bench(preset), functions)]


def _the_cohort_is_the_same_every_time(bench: _Bench) -> None:
    first = bench.first
    again = bench.preset.cohort(available(bench.preset, first.space, first.seed))
    assert again.key == first.cohort.key, f"it gave {first.cohort} and then {again}"


def _the_cohort_names_the_preset(bench: _Bench) -> None:
    given, cls = bench.first.cohort.preset, type(bench.preset)
    place = f"{cls.__module__}:{cls.__qualname__}"
    own = sorted(name for name, one in plugins.names(CohortPreset).items() if one.value == place)
    assert given, "`preset` of the cohort is empty; the front shows it, so give the name"
    assert given in own or not own, (
        f"the cohort says it is {given!r}, and this class is registered as {own}"
    )


def _the_canonical_form_survives_json(bench: _Bench) -> None:
    for small in bench.cohorts:
        data = small.cohort.to_json()
        copy = Cohort.from_json(json.loads(json.dumps(data)))
        assert copy.to_json() == data, f"{copy} came out of JSON, {small.cohort} went in"


def _what_it_names_is_installed_and_takes_its_fields(bench: _Bench) -> None:
    for small in bench.cohorts:
        for edge in small.cohort.edges:
            if edge.loss["name"] != _TASK:
                _ = plugins.construct(Transfer, edge.loss, f"edge {edge.name!r}")
        for name, aggregator in small.cohort.aggregators.items():
            _ = plugins.construct(Aggregation, aggregator.rule, f"aggregator {name!r}")
        for stage in small.cohort.stages:
            _ = plugins.construct(Sampler, stage.sampler, f"stage {stage.name!r}")


def _every_cohort_can_be_trained(bench: _Bench) -> None:
    assert bench.first
    for small in bench.cohorts:
        check(small.genome, small.options)


def _what_is_not_available_is_a_config_error(bench: _Bench) -> None:
    space, seed = bench.first.space, bench.first.seed
    given = available(bench.preset, space, seed)
    logits = {name: tap for name, tap in given.taps.items() if name == "logits"}
    teachers = dict.fromkeys(given.teachers, logits)
    for less in (replace(given, teachers=teachers), Available(taps=logits, depths=(), teachers={})):
        try:
            _ = bench.preset.cohort(less)
        except ConfigError:
            continue


def _it_needs_the_teachers_that_it_says(bench: _Bench) -> None:
    space, seed = bench.first.space, bench.first.seed
    given = available(bench.preset, space, seed)
    fewer = dict(list(given.teachers.items())[1:])
    try:
        _ = bench.preset.cohort(replace(given, teachers=fewer))
    except ConfigError:
        return
    raise AssertionError(
        f"`teachers` is {bench.preset.teachers}, and {len(fewer)} did as well; raise ConfigError"
    )
