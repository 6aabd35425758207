"""What the reports say about a search is so."""

import pytest

from evonas.history import History, Limit, Objective
from evonas.report import facts
from evonas.report.numbers import duration, short
from evonas.report.plots import Axis


def test_the_front_is_told_best_first(history: History, objectives: list[Objective]) -> None:
    assert [one.number for one in facts.best_first(history, objectives)] == [4, 1, 0]


def test_the_best_so_far_never_gets_worse(history: History) -> None:
    best = facts.best_so_far(history, Objective("error", "min"))
    assert best == [(0, 0.5), (1, 0.3), (2, 0.3), (4, 0.1), (5, 0.1)]


def test_who_breaks_a_limit_is_no_progress(history: History, objectives: list[Objective]) -> None:
    limits = [Limit("macs", 3000)]
    best = facts.best_so_far(history, Objective("error", "min"), limits)
    assert best == [(0, 0.5), (1, 0.3), (2, 0.3)]
    assert [number for number, _ in facts.volumes(history, objectives, limits)] == [0, 1, 2]


def test_the_best_of_what_should_be_large_is_the_largest(history: History) -> None:
    best = facts.best_so_far(history, Objective("macs", "max"))
    assert [value for _, value in best] == [1000, 2000, 2000, 4000, 8000]


def test_the_hypervolume_is_a_share_of_the_box_of_all_candidates(
    history: History, objectives: list[Objective]
) -> None:
    volumes = dict(facts.volumes(history, objectives))
    assert volumes[0] == 0.0
    assert volumes[1] == pytest.approx(0.5 * 6 / 7)
    assert volumes[4] == volumes[5] == pytest.approx(0.5 * 6 / 7 + 0.5 * 4 / 7, abs=1e-3)


def test_the_hypervolume_never_falls(history: History, objectives: list[Objective]) -> None:
    volumes = [volume for _, volume in facts.volumes(history, objectives)]
    assert volumes == sorted(volumes)


def test_an_operator_is_credited_against_parent_and_control(
    history: History, objectives: list[Objective]
) -> None:
    rows = {
        row.name: row
        for row in facts.operators(history, objectives, facts.best_first(history, objectives))
    }
    widen = rows["widen"]
    assert (widen.births, widen.successes, widen.compared, widen.on_front) == (2, 1, 2, 1)
    assert widen.gain == pytest.approx((0.2 - 0.1) / 2)
    assert widen.credit == pytest.approx(0.4 - 0.3)
    assert rows["seed"].gain is None


def test_costs_add_up(history: History) -> None:
    cost = facts.total_cost(history)
    assert (cost.samples, cost.macs, cost.seconds) == (500, 5e6, 10.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0213456, "0.02135"),
        (999.5, "999.5"),
        (9999, "9,999"),
        (12_345, "12.3 k"),
        (2.5e6, "2.5 M"),
        (float("nan"), "nan"),
        (-3e9, "-3 G"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3600, "1 h 0 min")]
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    "values", [[1.0], [0.0, 0.0], [1.0, 3.0], [1.0, 5000.0], [-4.0, 4.0], [1e-9, 2e-9]]
)
def test_an_axis_shows_all_values_and_some_ticks(values: list[float]) -> None:
    axis = Axis.over(values, "x", (10.0, 110.0), whole=False)
    assert all(10 <= axis.at(value) <= 110 for value in values)
    assert 2 <= len(axis.ticks()) <= 16
    assert all(10 - 1e-6 <= axis.at(tick) <= 110 + 1e-6 for tick in axis.ticks())
