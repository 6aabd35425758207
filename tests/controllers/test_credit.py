"""Credit: child minus control, against a plain computation, and what it does to the odds."""

from collections.abc import Mapping

import pytest
from controllers.onemax import ERROR, GAIN, WIDTH, OneMax, question, search

from evonas.controllers.credit import Bookkeeping, Earned, chances
from evonas.controllers.eena import Eena
from evonas.genome import Birth, Genome
from evonas.history import Cost, Evaluation, Failure, History, Individual, Objective, Outcome
from evonas.lineage import edit_credits

EVERYONE = 10_000
BOOKS = Bookkeeping(ERROR, EVERYONE)


def judged(error: float, macs: float = 1.0) -> Evaluation:
    return Evaluation({"error": error}, Cost(macs=macs))


def history_of(*rows: tuple[str, tuple[int, ...], Outcome]) -> History:
    return History(
        [
            Individual(number, Birth(Genome(), operator, parents, 0), outcome)
            for number, (operator, parents, outcome) in enumerate(rows)
        ]
    )


def slow_earnings(history: History) -> Mapping[str, tuple[float, float]]:
    """Return credit and MACs by operator, looking for each child's control in all the history."""
    evaluated = history.evaluated()
    sums: dict[str, tuple[float, float]] = {}
    for child, outcome in evaluated:
        if not child.birth.parents or child.birth.operator == "control":
            continue
        controls = [
            other.metrics["error"]
            for one, other in evaluated
            if one.birth.operator == "control" and one.birth.parents[0] == child.birth.parents[0]
        ]
        if controls:
            credit, macs = sums.get(child.birth.operator, (0.0, 0.0))
            credit += controls[0] - outcome.metrics["error"]
            sums[child.birth.operator] = (credit, macs + outcome.cost.macs)
    return sums


@pytest.mark.parametrize("length", [1, 40, 77, 150])
def test_the_books_are_the_plain_sums_at_any_prefix(length: int) -> None:
    history = search(
        Eena(population=8), 150, question(), lookahead=3, fails=lambda number: number % 7 == 6
    )
    earned = BOOKS.books(history.until(length)).earned
    expected = slow_earnings(history.until(length))
    assert earned.keys() == expected.keys()
    for name, sums in expected.items():
        assert (earned[name].credit, earned[name].macs) == pytest.approx(sums)


def test_training_longer_alone_earns_nothing() -> None:
    history = search(Eena(population=8), 150, question())
    for number, credit in edit_credits(history, ERROR).items():
        child = history[number]
        parent = history[child.birth.parents[0]].birth.genome.chromosomes["bits"]
        gained = sum(child.birth.genome.chromosomes["bits"]) - sum(parent)
        assert credit == pytest.approx(gained / WIDTH, abs=GAIN / 100)


def test_children_are_credited_whether_they_come_before_or_after_their_control() -> None:
    history = history_of(
        ("seed", (), judged(0.5)),
        ("widen", (0,), judged(0.2, macs=3.0)),
        ("control", (0,), judged(0.4)),
        ("widen", (0,), judged(0.3, macs=4.0)),
        ("branch", (0,), judged(0.45, macs=2.0)),
    )
    earned = BOOKS.books(history).earned
    assert earned["widen"].credit == pytest.approx(0.3)
    assert earned["widen"].macs == 7.0
    assert earned["branch"].credit == pytest.approx(-0.05)
    assert edit_credits(history, ERROR) == pytest.approx({1: 0.2, 3: 0.1, 4: -0.05})


def test_a_metric_to_be_made_large_is_credited_by_its_growth() -> None:
    history = history_of(
        ("seed", (), Evaluation({"accuracy": 0.5})),
        ("control", (0,), Evaluation({"accuracy": 0.6})),
        ("widen", (0,), Evaluation({"accuracy": 0.9})),
    )
    assert edit_credits(history, Objective("accuracy", "max")) == pytest.approx({2: 0.3})


@pytest.mark.parametrize(
    "outsider",
    [
        ("widen", (0,), Failure("diverged", "loss is nan")),
        ("widen", (), judged(0.1)),
        ("final", (0,), judged(0.1)),
        ("widen", (2,), judged(0.1)),
        ("widen", (0,), Evaluation({"error": 0.1}, same_as=1)),
    ],
)
def test_only_trained_siblings_of_a_control_are_credited(
    outsider: tuple[str, tuple[int, ...], Outcome],
) -> None:
    history = history_of(
        ("seed", (), judged(0.5)),
        ("control", (0,), judged(0.4)),
        ("seed", (), judged(0.5)),
        outsider,
    )
    assert BOOKS.books(history).earned == {}


def test_old_parents_are_forgotten() -> None:
    rows = [("seed", (), judged(0.5)), *(("widen", (parent,), judged(0.4)) for parent in range(9))]
    accounts = Bookkeeping(ERROR, 3).books(history_of(*rows)).accounts
    assert list(accounts) == [6, 7, 8]


def test_every_generation_has_controls_of_its_most_used_parents() -> None:
    population, controls = 10, 2
    asked = question(space=OneMax(width=100))
    history = search(Eena(population=population, controls=controls), 200, asked, lookahead=4)
    cloned: list[int] = []
    for number in range(population, 200):
        start = number - number % population
        expected = _most_used(list(history)[max(1, start - 3 - population) : start - 3])
        place = number - start
        if history[number].birth.operator == "control":
            assert place < controls
            cloned.append(history[number].birth.parents[0])
            assert cloned[-1] == expected[place]
        else:
            assert place >= controls or set(expected[place : place + 1]) <= set(cloned)
    assert len(set(cloned)) == len(cloned) >= 15


def _most_used(recent: list[Individual]) -> list[int]:
    """Return the parents of edited children, most used and then youngest first."""
    used = [
        one.birth.parents[0]
        for one in recent
        if one.birth.parents and one.birth.operator != "control"
    ]
    return sorted(set(used), key=lambda parent: (-used.count(parent), -parent))


def test_a_control_child_is_its_parent_unedited() -> None:
    history = search(Eena(population=8), 100, question())
    for one in history:
        if one.birth.operator == "control":
            parent = history[one.birth.parents[0]].birth
            assert one.birth.genome == parent.genome


def test_no_controls_where_none_are_wanted() -> None:
    history = search(Eena(population=8, controls=0), 60, question())
    assert all(one.birth.operator != "control" for one in history)


@pytest.mark.parametrize(
    ("earned", "odds"),
    [
        ({}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"a": Earned(-1.0, 1.0)}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        (
            {"a": Earned(3.0, 10.0), "b": Earned(2.0, 20.0), "c": Earned(-9.0, 1.0)},
            {"a": 0.05 + 0.85 * 0.75, "b": 0.05 + 0.85 * 0.25, "c": 0.05},
        ),
        (
            {"a": Earned(3.0, 10.0), "b": Earned(1.0, 10.0)},
            {"a": 0.05 + 0.85 / 2, "b": 0.05 + 0.85 / 6, "c": 0.05 + 0.85 / 3},
        ),
    ],
    ids=["nothing known", "nothing gained", "by credit per MAC", "unknown counts as average"],
)
def test_odds_follow_credit_per_mac(
    earned: Mapping[str, Earned], odds: Mapping[str, float]
) -> None:
    assert chances(earned, ["a", "b", "c"], 0.05) == pytest.approx(odds)


def test_the_floor_gives_way_where_there_are_too_many_operators() -> None:
    odds = chances({"0": Earned(1.0, 1.0)}, map(str, range(40)), 0.05)
    assert sum(odds.values()) == pytest.approx(1.0)
    assert min(odds.values()) == pytest.approx(1 / 40)


def test_a_useful_operator_is_drawn_more_often_than_a_harmful_one() -> None:
    history = search(Eena(floor=0.05), 200, question(space=OneMax(width=200)))
    late = [one.birth.operator for one in history if one.number >= 100]
    assert late.count("raise") > 3 * late.count("lower") > 0
