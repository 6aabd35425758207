"""The history: positions and numbers, cuts, growth in either order."""

import pytest

from evonas.genome import Birth, Genome
from evonas.history import Evaluation, History, Individual, Outcome

PARENTS = ((), (0,), (0,), (1,), (2,), (4, 3))
BIRTHS = [Birth(Genome(), "check", parents, 0) for parents in PARENTS]
OUTCOME = Evaluation({"error": 1.0})


def outcomes(*numbers: int) -> dict[int, Outcome]:
    """Return outcomes as they came."""
    return dict.fromkeys(numbers, OUTCOME)


def numbers(history: History) -> list[int]:
    return [one.number for one in history]


def grown(*came: int, at_once: bool) -> History:
    """Return the history of what came, in the order of finishing, read at once or one by one."""
    history = History()
    for length in [len(came)] if at_once else range(1, len(came) + 1):
        history.grow(BIRTHS, outcomes(*came[:length]), "finish")
    return history


def test_by_birth_a_history_ends_before_the_first_that_is_not_finished() -> None:
    history = History()
    assert [one.number for one in history.grow(BIRTHS, outcomes(0, 3, 1), "birth")] == [0, 1]
    assert [one.number for one in history.grow(BIRTHS, outcomes(0, 3, 1, 2), "birth")] == [2, 3]
    assert numbers(history) == [0, 1, 2, 3]


@pytest.mark.parametrize("at_once", [True, False])
def test_by_finish_a_history_has_the_order_of_the_outcomes(at_once: bool) -> None:
    assert numbers(grown(0, 2, 1, 4, 3, at_once=at_once)) == [0, 2, 1, 4, 3]


@pytest.mark.parametrize("at_once", [True, False])
def test_children_wait_for_a_parent_whose_outcome_was_lost(at_once: bool) -> None:
    assert numbers(grown(0, 1, 4, 3, 5, 2, at_once=at_once)) == [0, 1, 3, 2, 4, 5]


@pytest.mark.parametrize("number", range(5))
def test_a_member_is_found_by_its_number_in_any_order(number: int) -> None:
    assert grown(0, 2, 1, 4, 3, at_once=True).member(number).number == number


@pytest.mark.parametrize("number", [-1, 1, 5])
def test_whoever_comes_after_a_cut_is_no_member_of_it(number: int) -> None:
    cut = grown(0, 2, 1, 4, 3, at_once=True).until(2)
    assert not cut.has(number)
    with pytest.raises(KeyError, match=f"individual {number} is not in this history of 2"):
        cut.member(number)


def test_a_cut_stays_as_it_is_while_the_log_grows() -> None:
    history = grown(0, 2, 1, at_once=True)
    cut = history.until(2)
    history.append(Individual(3, BIRTHS[3], OUTCOME))
    assert numbers(cut) == [0, 2]
    assert numbers(history) == [0, 2, 1, 3]


@pytest.mark.parametrize("index", [5, -6])
def test_a_position_beyond_the_history_is_an_error(index: int) -> None:
    with pytest.raises(IndexError):
        grown(0, 1, 2, 3, 4, at_once=True)[index]


def test_positions_and_slices_count_within_the_cut() -> None:
    cut = grown(0, 2, 1, 4, 3, at_once=True).until(3)
    assert (cut[0].number, cut[-1].number) == (0, 1)
    assert [one.number for one in cut[1:]] == [2, 1]


def test_nobody_is_appended_twice() -> None:
    with pytest.raises(ValueError, match="individual 1 is in this log already"):
        grown(0, 1, at_once=True).append(Individual(1, BIRTHS[1], OUTCOME))


def test_nobody_is_appended_before_a_parent() -> None:
    with pytest.raises(ValueError, match=r"individual 5 comes before its parents \[4, 3\]"):
        grown(0, 1, at_once=True).append(Individual(5, BIRTHS[5], OUTCOME))
