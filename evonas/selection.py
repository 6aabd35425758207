"""Selection by any number of losses: fronts, ranks, crowding, hypervolume, tournaments.

The one module that knows moocore (non-dominated sorting and hypervolume, in C) and DEAP (crowding
distance). All losses are made small; `Objective.loss` turns metrics into losses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeVar, final

import moocore
import numpy as np
from deap.tools import emo

from evonas.history import Evaluation, Individual, Limit, Objective, over_limits
from evonas.seeds import Rng

T = TypeVar("T")
Points = Sequence[Sequence[float]]


def front(points: Points) -> list[int]:
    """Return the indices of the points that no other point dominates; equal points all count."""
    if not points:
        return []
    is_in_front = moocore.is_nondominated(np.asarray(points, dtype=float), keep_weakly=True)
    return [int(index) for index in np.flatnonzero(is_in_front)]


def front_of(
    individuals: Iterable[Individual],
    objectives: Sequence[Objective],
    limits: Sequence[Limit] = (),
) -> list[Individual]:
    """Return who no other dominates, best by the first objective first, repeats left out.

    Who breaks a limit does not count: the seed of a search that prunes may.
    """
    judged = [
        (one, [objective.loss(one.outcome) for objective in objectives])
        for one in individuals
        if isinstance(one.outcome, Evaluation)
        and one.outcome.same_as is None
        and not over_limits(one.outcome.metrics, limits)
    ]
    best = [judged[index] for index in front([losses for _, losses in judged])]
    return [one for one, _ in sorted(best, key=lambda pair: (pair[1], pair[0].number))]


def ranks(points: Points) -> list[int]:
    """Return for every point how many fronts must be taken away until it is in the front."""
    if not points:
        return []
    return [int(rank) for rank in moocore.pareto_rank(np.asarray(points, dtype=float))]


def crowding(points: Points) -> list[float]:
    """Return every point's crowding distance among `points`, infinite at the edges."""
    if len(points) <= 2:
        return [inf] * len(points)
    crowd = [_Crowded(_Losses(point)) for point in points]
    emo.assignCrowdingDist(crowd)
    return [one.fitness.crowding_dist for one in crowd]


def fittest_first(points: Points) -> list[int]:
    """Return the indices of all points by rank, then by crowding within the rank (NSGA-II).

    Among equals the later comes first, so that neutral changes can spread.
    """
    if points and len(points[0]) == 1:
        return sorted(range(len(points)), key=lambda index: (points[index][0], -index))
    fronts: dict[int, list[int]] = {}
    for index, rank in enumerate(ranks(points)):
        fronts.setdefault(rank, []).append(index)
    order: list[int] = []
    for _, members in sorted(fronts.items()):
        distances = crowding([points[index] for index in members])
        order += [index for _, index in sorted(zip(distances, members, strict=True), reverse=True)]
    return order


def hypervolume(points: Points, reference: Sequence[float]) -> float:
    """Return the volume that `points` dominate within `reference`, the worst corner."""
    if not points:
        return 0.0
    return float(moocore.hypervolume(np.asarray(points, dtype=float), ref=list(reference)))


def tournament(rng: Rng, ranked: Sequence[T], size: int) -> T:
    """Return the best of `size` draws with replacement from `ranked`, which is fittest first."""
    return ranked[int(rng.integers(len(ranked), size=size).min())]


@final
@dataclass
class _Losses:
    """As much of DEAP's fitness as the crowding distance takes, and no arithmetic with weights."""

    values: Sequence[float]
    crowding_dist: float = 0.0


@final
@dataclass(frozen=True)
class _Crowded:
    """What DEAP calls an individual."""

    fitness: _Losses
