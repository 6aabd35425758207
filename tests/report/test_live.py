"""Whoever watches a search sees what goes on, in a terminal and in a file."""

import io

import pytest
from rich.console import Console

from evonas.history import Individual, Objective
from evonas.report.board import Board, panel
from evonas.report.live import Lines, Live
from evonas.report.terminal import front_table


class Row:
    """A stand-in for what the API calls a member."""

    def __init__(self, individual: Individual) -> None:
        self.individual = individual


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=110, force_terminal=True, color_system=None)


def shown(console: Console, what: object) -> str:
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def board(individuals: list[Individual], objectives: list[Objective]) -> Board:
    board = Board("digits", 10, None, objectives)
    for one in individuals:
        board.finish(one)
    return board


def test_the_picture_shows_progress_bests_and_front(board: Board, console: Console) -> None:
    text = shown(console, panel(board))
    assert "6 of 10 births" in text
    assert "best error 0.1 (#4)" in text
    assert "best macs 1,000 (#0)" in text
    assert "front 3" in text


def test_the_picture_shows_failures(board: Board, console: Console) -> None:
    text = shown(console, panel(board))
    assert "1 failed (error)" in text
    assert "failed (error): <b>bad</b> & 'worse'" in text


def test_the_picture_shows_who_is_in_training_with_the_last_report(
    board: Board, individuals: list[Individual], console: Console
) -> None:
    board.running |= {6: individuals[1].birth, 7: individuals[2].birth}
    board.reports[6] = (1, {"error": 0.9})
    board.reports[6] = (2, {"error": 0.25})
    text = shown(console, panel(board))
    assert "#6" in text
    assert "step 2" in text
    assert "error 0.25" in text
    assert "and 1 not yet heard of" in text


def test_who_has_finished_is_no_longer_in_training(
    individuals: list[Individual], objectives: list[Objective], console: Console
) -> None:
    board = Board("digits", None, 3600.0, objectives)
    board.running[0] = individuals[0].birth
    board.reports[0] = (1, {"error": 0.9})
    board.finish(individuals[0])
    assert "in training" not in shown(console, panel(board))


def test_the_rest_is_estimated_from_this_session_alone(
    individuals: list[Individual], objectives: list[Objective]
) -> None:
    board = Board("digits", 10, None, objectives)
    board.resume(individuals[:4])
    assert board.remaining(8.0) is None
    board.finish(individuals[4])
    board.finish(individuals[5])
    assert board.remaining(8.0) == pytest.approx(8.0 / 2 * 4)


def test_an_empty_board_has_a_picture(objectives: list[Objective], console: Console) -> None:
    assert "0 of 3 births" in shown(console, panel(Board("digits", 3, None, objectives)))


def test_the_live_view_draws_and_leaves_a_summary(
    individuals: list[Individual], objectives: list[Objective], console: Console
) -> None:
    with Live(Board("digits", 6, None, objectives), console) as view:
        view.told("")
        view.told("[bold]no tracking")
        view.resumed(individuals[:2])
        view.born(2, individuals[2].birth)
        view.reported(2, 1, {"error": 0.5})
        view.finished(individuals[2])
    text = written(console)
    assert "digits" in text
    assert "[bold]no tracking" in text
    assert "3 births, 0 failed" in text.splitlines()[-1]


def test_lines_tell_every_end(
    individuals: list[Individual], objectives: list[Objective], console: Console
) -> None:
    with Lines(objectives, 6, console) as view:
        for one in individuals:
            view.born(one.number, one.birth)
            view.finished(one)
    lines = written(console).splitlines()
    assert len(lines) == 7
    assert lines[1] == "[2/6] #1 widen of #0: error 0.3, macs 2,000"
    assert "failed (error): <b>bad</b>" in lines[3]
    assert lines[-1].startswith("6 births, 1 failed")


def test_the_front_table_has_a_row_a_member(
    individuals: list[Individual], objectives: list[Objective], console: Console
) -> None:
    rows = [Row(individuals[4]), Row(individuals[0])]
    text = shown(console, front_table(rows, objectives, ("optimizer.lr",)))
    assert "crossover" in text
    assert "1, 2" in text
    assert "lr 0.1" in text
    assert text.index("crossover") < text.index("seed")
