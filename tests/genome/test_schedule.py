"""The curves against the literal formulas, and what a schedule refuses."""

import json
import math
from collections.abc import Callable

import pytest

from evonas.errors import ConfigError
from evonas.genome.schedule import SETTLED, Curve, CurveKind, Schedule


def asymptotic(u: float) -> float:
    """Return the share pruned at `u` by ASFP, whose k puts three quarters at an eighth."""
    return (1 - math.exp(-11.09 * u)) / (1 - math.exp(-11.09))


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        ("linear", lambda u: u),
        ("cosine", lambda u: 0.5 - 0.5 * math.cos(math.pi * u)),
        ("cubic", lambda u: 1 - (1 - u) ** 3),
        ("exponential", asymptotic),
    ],
)
def test_a_curve_goes_by_its_formula_from_start_to_end(
    kind: CurveKind, formula: Callable[[float], float]
) -> None:
    curve = Curve(kind=kind, start=0.2, end=0.8, until=0.5)
    for u in (0.0, 0.1, 0.33, 0.7, 0.99):
        assert curve.at(u / 2) == pytest.approx(0.2 + 0.6 * formula(u), abs=1e-12)
    for progress in (0.5, 0.75, 1.0):
        assert curve.at(progress) == 0.8


def test_the_exponential_is_three_quarters_there_in_an_eighth_of_the_time() -> None:
    assert Curve(kind="exponential", end=1.0).at(1 / 8) == pytest.approx(0.75, abs=1e-4)


def test_a_constant_curve_is_its_end_from_the_first_step() -> None:
    assert Curve(start=0.3, end=0.7).at(0.0) == 0.7


def test_a_curve_stays_at_its_start_before_the_training() -> None:
    assert Curve(kind="linear", start=1.0, end=0.0).at(-0.5) == 1.0


@pytest.mark.parametrize("wrong", [{"until": 0.0}, {"until": 1.5}, {"steepness": 0.0}])
def test_a_curve_that_goes_nowhere_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="until"):
        Curve(kind="linear", end=1.0, **wrong)


@pytest.mark.parametrize(
    "alpha",
    [
        Curve(kind="linear", start=1.0, end=0.0, until=SETTLED + 0.01),
        Curve(kind="linear", start=1.0, end=0.1, until=0.5),
        Curve(end=0.5),
    ],
)
def test_a_schedule_whose_alpha_has_not_settled_is_refused(alpha: Curve) -> None:
    with pytest.raises(ConfigError, match=r"it must reach 0 at 0\.75"):
        Schedule(alpha=alpha)


def test_a_schedule_whose_alpha_settles_just_in_time_is_taken() -> None:
    alpha = Curve(kind="linear", start=1.0, end=0.0, until=SETTLED)
    assert Schedule(alpha=alpha).alpha.at(SETTLED) == 0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"rate": Curve(end=0.5)}, "rate ends at 0.5"),
        ({"beta": Curve(end=1.5)}, "beta goes"),
        ({"interval": 0}, "interval is 0"),
        ({"regrowth_cap": -1.0}, "regrowth_cap -1"),
        ({"begin": 1.0}, "begin 1"),
    ],
)
def test_a_schedule_that_cannot_be_followed_is_refused(
    wrong: dict[str, object], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        Schedule(**wrong)  # pyright: ignore[reportArgumentType] - the point of the test


def test_a_schedule_survives_json() -> None:
    schedule = Schedule(
        preset="srfp",
        rule={"name": "dual", "weight": 0.5},
        rate=Curve(kind="exponential", end=1.0),
        alpha=Curve(kind="cosine", start=1.0, until=0.5),
        beta=Curve(kind="linear", start=1.0, until=0.9),
        criterion="geometric-median",
        granularity="weight",
        residual="coupled",
        begin=0.1,
        interval=7,
        momentum_reset=False,
        regrowth_cap=4.0,
    )
    assert Schedule.from_json(json.loads(json.dumps(schedule.to_json()))) == schedule
