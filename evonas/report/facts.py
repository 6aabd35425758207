"""What a report says about a search, computed from its history alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from evonas.history import (
    Cost,
    Evaluation,
    Failure,
    History,
    Individual,
    Limit,
    Objective,
    over_limits,
)
from evonas.lineage import edit_credits
from evonas.selection import front, front_of, hypervolume

Point = tuple[int, float]


@final
@dataclass(frozen=True)
class Operator:
    """What became of the births that one operator made.

    Attributes:
        name: Of the operator.
        births: How many.
        failures: How many could not be evaluated.
        successes: How many beat their first parent in the first objective.
        compared: How many have a parent to compare with.
        gain: Mean of parent's loss minus child's, over those; None without any.
        credit: Mean of control's loss minus child's, over those with a control child.
        on_front: How many stand in the front.
    """

    name: str
    births: int
    failures: int
    successes: int
    compared: int
    gain: float | None
    credit: float | None
    on_front: int


def best_first(
    history: History, objectives: Sequence[Objective], limits: Sequence[Limit] = ()
) -> list[Individual]:
    """Return the front, the best in the first objective first."""
    members = front_of(history, objectives, limits)
    return sorted(members, key=lambda one: loss(one, objectives[0]))


def loss(individual: Individual, objective: Objective) -> float:
    """Return the loss of an evaluated individual."""
    assert isinstance(individual.outcome, Evaluation)
    return objective.loss(individual.outcome)


def best_so_far(
    history: History, objective: Objective, limits: Sequence[Limit] = ()
) -> list[Point]:
    """Return every evaluated number within the limits with the best value that was known then."""
    found: list[Point] = []
    lowest = float("inf")
    for one, evaluation in _within(history, limits):
        lowest = min(lowest, objective.loss(evaluation))
        found.append((one.number, lowest if objective.direction == "min" else -lowest))
    return found


def volumes(
    history: History, objectives: Sequence[Objective], limits: Sequence[Limit] = ()
) -> list[Point]:
    """Return every evaluated number within the limits with the front's hypervolume then, 0 to 1.

    The volume is measured in the box between the best and the worst value of each objective in the
    whole history, so that one candidate that is best in everything has 1.
    """
    judged = _within(history, limits)
    rows = [[objective.loss(outcome) for objective in objectives] for _, outcome in judged]
    rows = _scaled(rows)
    found: list[Point] = []
    members: list[list[float]] = []
    volume = 0.0
    for (one, _), row in zip(judged, rows, strict=True):
        if not any(all(a <= b for a, b in zip(other, row, strict=True)) for other in members):
            grown = [*members, row]
            members = [grown[index] for index in front(grown)]
            volume = hypervolume(members, [1.0] * len(objectives))
        found.append((one.number, volume))
    return found


def failures(history: Iterable[Individual]) -> list[tuple[Individual, Failure]]:
    """Return the individuals that could not be evaluated."""
    return [(one, one.outcome) for one in history if isinstance(one.outcome, Failure)]


def total_cost(history: Iterable[Individual]) -> Cost:
    """Return what all candidates together took."""
    costs = [one.outcome.cost for one in history]
    return Cost(
        sum(cost.samples for cost in costs),
        sum(cost.macs for cost in costs),
        sum(cost.seconds for cost in costs),
    )


def operators(
    history: History, objectives: Sequence[Objective], members: Iterable[Individual]
) -> list[Operator]:
    """Return what became of every operator's births, those with the largest gain first."""
    gains = _gains(history, objectives[0])
    earned = edit_credits(history, objectives[0])
    on_front = {one.number for one in members}
    by_name: dict[str, list[Individual]] = {}
    for one in history:
        by_name.setdefault(one.birth.operator, []).append(one)
    rows: list[Operator] = []
    for name, made in by_name.items():
        gained = [gains[one.number] for one in made if one.number in gains]
        row = Operator(
            name=name,
            births=len(made),
            failures=len(failures(made)),
            successes=sum(gain > 0 for gain in gained),
            compared=len(gained),
            gain=_mean(gained),
            credit=_mean([earned[one.number] for one in made if one.number in earned]),
            on_front=sum(one.number in on_front for one in made),
        )
        rows.append(row)
    return sorted(rows, key=lambda row: (-(row.gain or 0.0), row.name))


def _within(history: History, limits: Sequence[Limit]) -> list[tuple[Individual, Evaluation]]:
    """Return who was evaluated and breaks no limit."""
    return [pair for pair in history.evaluated() if not over_limits(pair[1].metrics, limits)]


def _gains(history: History, objective: Objective) -> dict[int, float]:
    """Return the first parent's loss minus the child's, by number, where both are evaluated."""
    losses = {one.number: objective.loss(outcome) for one, outcome in history.evaluated()}
    return {
        number: losses[parents[0]] - value
        for number, value in losses.items()
        if (parents := history.member(number).birth.parents) and parents[0] in losses
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _scaled(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the rows with every column stretched to 0..1; a constant column is 0."""
    lows = [min(column) for column in zip(*rows, strict=True)]
    spans = [max(column) - min(column) or 1.0 for column in zip(*rows, strict=True)]
    return [
        [(value - low) / span for value, low, span in zip(row, lows, spans, strict=True)]
        for row in rows
    ]
