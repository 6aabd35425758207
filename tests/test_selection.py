"""Selection against brute force and against DEAP."""

from itertools import product

import pytest
from deap import base, tools
from hypothesis import given, settings, strategies as st

from evonas import seeds
from evonas.genome import Birth, Genome
from evonas.history import Evaluation, Failure, History, Individual, Objective
from evonas.selection import (
    Points,
    crowding,
    fittest_first,
    front,
    front_of,
    hypervolume,
    ranks,
    tournament,
)

SMALL = st.integers(0, 5)
POINTS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(SMALL, min_size=width, max_size=width), max_size=16)
)


class Fitness(base.Fitness):
    weights = (-1.0, -1.0)


class Candidate:
    def __init__(self, index: int, losses: tuple[float, ...]) -> None:
        self.index, self.fitness = index, Fitness(losses)


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def slow_front(points: Points) -> list[int]:
    rows = [tuple(point) for point in points]
    return [i for i, row in enumerate(rows) if not any(dominates(other, row) for other in rows)]


def slow_ranks(points: Points) -> list[int]:
    left, rank, found = list(range(len(points))), 0, {}
    while left:
        best = [left[place] for place in slow_front([points[index] for index in left])]
        found |= dict.fromkeys(best, rank)
        left = [index for index in left if index not in found]
        rank += 1
    return [found[index] for index in range(len(points))]


@settings(deadline=None)
@given(POINTS)
def test_the_front_is_what_no_point_dominates(points: list[list[int]]) -> None:
    assert front(points) == slow_front(points)


@settings(deadline=None)
@given(POINTS)
def test_a_rank_counts_the_fronts_before_a_point(points: list[list[int]]) -> None:
    assert ranks(points) == slow_ranks(points)


@settings(deadline=None)
@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[SMALL] * width), max_size=8)))
def test_the_hypervolume_counts_the_cells_that_are_dominated(points: list[tuple[int, ...]]) -> None:
    width = len(points[0]) if points else 1
    cells = product(range(6), repeat=width)
    covered = sum(
        any(all(a <= b for a, b in zip(point, cell, strict=True)) for point in points)
        for cell in cells
    )
    assert hypervolume(points, [6] * width) == pytest.approx(covered)


def test_points_beyond_the_reference_add_no_volume() -> None:
    assert hypervolume([[2.0, 0.0]], [1.0, 1.0]) == 0.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, unique=True))
def test_survivors_are_those_that_deap_keeps(points: list[tuple[int, int]]) -> None:
    num_kept = len(points) // 2
    candidates = [Candidate(index, point) for index, point in enumerate(points)]
    kept = tools.selNSGA2(candidates, num_kept)
    assert _crowded(points, fittest_first(points)[:num_kept]) == _crowded(
        points, [one.index for one in kept]
    )


def _crowded(points: Points, chosen: list[int]) -> list[tuple[int, float]]:
    """Return rank and crowding of the chosen, which is what NSGA-II compares."""
    found = ranks(points)
    fronts = {rank: [i for i, other in enumerate(found) if other == rank] for rank in found}
    crowd = {
        index: distance
        for members in fronts.values()
        for index, distance in zip(
            members, crowding([points[member] for member in members]), strict=True
        )
    }
    return sorted((found[index], -crowd[index]) for index in chosen)


def test_edges_are_infinitely_crowded_and_the_middle_by_its_neighbours() -> None:
    assert crowding([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0]]) == [float("inf"), 1.0, float("inf")]


def test_one_loss_sorts_by_value_and_equals_by_youth() -> None:
    assert fittest_first([[2.0], [1.0], [1.0], [3.0]]) == [2, 1, 0, 3]


@pytest.mark.parametrize("empty", [front, ranks, crowding, fittest_first])
def test_nothing_selects_nothing(empty: object) -> None:
    assert callable(empty)
    assert empty([]) == []


def test_a_tournament_of_three_takes_the_best_as_often_as_it_should() -> None:
    rng = seeds.stream(0, "tournament")
    wins = sum(tournament(rng, range(10), 3) == 0 for _ in range(4000))
    assert wins / 4000 == pytest.approx(1 - 0.9**3, abs=0.02)


def test_the_front_of_a_history_leaves_failures_and_repeats_out() -> None:
    history = History()
    for outcome in (
        Evaluation({"accuracy": 0.9, "macs": 10.0}),
        Evaluation({"accuracy": 0.8, "macs": 10.0}),
        Failure("diverged", "loss is nan"),
        Evaluation({"accuracy": 0.5, "macs": 1.0}),
        Evaluation({"accuracy": 0.9, "macs": 10.0}, same_as=0),
    ):
        history.append(Individual(len(history), Birth(Genome(), "seed", (), 0), outcome))
    found = front_of(history, [Objective("accuracy", "max"), Objective("macs", "min")])
    assert [one.number for one in found] == [0, 3]
