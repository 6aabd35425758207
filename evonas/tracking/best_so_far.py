"""The best value of each objective after each candidate: the curve of a search as a whole."""

import math
from collections.abc import Iterable, Mapping, Sequence

from evonas.history import Evaluation, Individual, Objective
from evonas.tracking.record import Point


def best_so_far(
    individuals: Iterable[Individual], objectives: Sequence[Objective], best: Mapping[str, float]
) -> tuple[list[Point], dict[str, float]]:
    """Return the curve of the next individuals, and the least losses after them.

    Args:
        individuals: Those that came since.
        objectives: Of the search.
        best: The least loss by objective before them.
    """
    points: list[Point] = []
    least = dict(best)
    for one in individuals:
        if not isinstance(one.outcome, Evaluation):
            continue
        for objective in objectives:
            loss = objective.loss(one.outcome)
            if not math.isfinite(loss):
                continue
            loss = least[objective.name] = min(loss, least.get(objective.name, loss))
            value = loss if objective.direction == "min" else -loss
            points.append(Point(f"best.{objective.name}", value, one.number))
    return points, least
