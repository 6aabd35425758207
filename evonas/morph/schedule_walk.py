"""Small steps through the family of schedules: one curve or one number at a time."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar, get_args

from evonas.genome.schedule import SETTLED, Criterion, Curve, CurveKind, Granularity, Schedule
from evonas.seeds import Rng

T = TypeVar("T")

CAPS = (0.0, 1.0, 4.0, 16.0)
"""Of the gradient of pruned filters; 0 for none."""

CRITERIA: Mapping[Granularity, Sequence[Criterion]] = {
    "filter": get_args(Criterion),
    "weight": ("l2", "taylor"),
}
"""What may rank; of a single weight all norms rank alike, and it has no batch norm of its own."""

_SIGMA = 0.2
"""Standard deviation of the logarithm of a positive number's factor."""

_SHORTEST = 0.05
"""The least part of the training that a curve takes."""


def walked(schedule: Schedule, rng: Rng) -> Schedule:
    """Return a schedule one step away; its rule, granularity and residual policy stay."""
    moves = [_rate, _alpha, _beta, _cap, _interval, _criterion, _momentum]
    for number in rng.permutation(len(moves)):
        found = moves[number](schedule, rng)
        if found != schedule:
            break
    else:
        raise AssertionError("momentum can always be reset or not")
    return found


def _rate(schedule: Schedule, rng: Rng) -> Schedule:
    return replace(schedule, rate=_moved(schedule.rate, 1.0, [_kind, _start, _until], rng))


def _alpha(schedule: Schedule, rng: Rng) -> Schedule:
    return replace(schedule, alpha=_moved(schedule.alpha, SETTLED, [_kind, _start, _until], rng))


def _beta(schedule: Schedule, rng: Rng) -> Schedule:
    return replace(schedule, beta=_moved(schedule.beta, 1.0, [_kind, _start, _until, _end], rng))


def _cap(schedule: Schedule, rng: Rng) -> Schedule:
    return replace(schedule, regrowth_cap=_other(CAPS, schedule.regrowth_cap, rng))


def _interval(schedule: Schedule, rng: Rng) -> Schedule:
    near = round(_near(schedule.interval, rng))
    if near == schedule.interval:
        near += 1 if rng.random() < 0.5 else -1
    return replace(schedule, interval=max(1, near))


def _criterion(schedule: Schedule, rng: Rng) -> Schedule:
    criteria = CRITERIA[schedule.granularity]
    return replace(schedule, criterion=_other(criteria, schedule.criterion, rng))


def _momentum(schedule: Schedule, rng: Rng) -> Schedule:
    del rng
    return replace(schedule, momentum_reset=not schedule.momentum_reset)


_Move = Callable[[Curve, float, Rng], Curve]


def _moved(curve: Curve, latest: float, moves: Sequence[_Move], rng: Rng) -> Curve:
    """Return the curve after one of the moves that change what it does; over by `latest`."""
    if curve.kind == "constant":
        moves = [move for move in moves if move in {_kind, _end}]
    return moves[int(rng.integers(len(moves)))](curve, latest, rng)


def _kind(curve: Curve, latest: float, rng: Rng) -> Curve:
    """Return a curve of another kind, which goes somewhere even if it was constant."""
    start = float(rng.random()) if curve.start == curve.end else curve.start
    kind = _other(get_args(CurveKind), curve.kind, rng)
    return replace(curve, kind=kind, start=start, until=min(curve.until, latest))


def _start(curve: Curve, latest: float, rng: Rng) -> Curve:
    """Return the curve from another start: a near one, or any if it was zero."""
    del latest
    start = float(rng.random()) if curve.start == 0 else min(1.0, _near(curve.start, rng))
    return replace(curve, start=start)


def _until(curve: Curve, latest: float, rng: Rng) -> Curve:
    return replace(curve, until=min(latest, max(_SHORTEST, _near(curve.until, rng))))


def _end(curve: Curve, latest: float, rng: Rng) -> Curve:
    """Return the curve that ends open if it ended closed, and the other way round."""
    del latest, rng
    return replace(curve, end=1.0 - round(curve.end))


def _near(number: float, rng: Rng) -> float:
    return number * math.exp(float(rng.normal(0.0, _SIGMA)))


def _other(choices: Sequence[T], present: T, rng: Rng) -> T:
    others = [choice for choice in choices if choice != present]
    return others[int(rng.integers(len(others)))]
