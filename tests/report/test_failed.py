"""Whoever reads about a search sees what has failed, and what was trained in parts."""

from dataclasses import replace

import pytest
from rich.console import Console

from evonas.history import Evaluation, Failure, History, Individual, Objective
from evonas.report.board import Board, panel
from evonas.report.failed import kinds, num_failed
from evonas.report.html import html
from evonas.report.terminal import closing_line, finished_line


@pytest.fixture
def troubled(individuals: list[Individual]) -> list[Individual]:
    """The last four have come to bad ends; the best, number 4, not quite."""
    best = individuals[4].outcome
    assert isinstance(best, Evaluation)
    outcomes = {
        2: Failure("memory", "took 600 MB of memory where 500 MB are allowed (in 2 parts)"),
        3: Failure("memory", "out of memory (trainer T takes whole batches)"),
        4: replace(best, parts=2),
        5: Failure("lost", "the worker was killed by SIGKILL (twice)"),
    }
    return [replace(one, outcome=outcomes.get(one.number, one.outcome)) for one in individuals]


def test_failures_are_counted_by_kind(troubled: list[Individual]) -> None:
    told = num_failed(kinds(one.outcome for one in troubled))
    assert told == "3 failed (2 memory, 1 lost)"
    assert closing_line(troubled).startswith(f"6 births, {told}; ")


def test_a_line_tells_of_batches_in_parts(
    troubled: list[Individual], objectives: list[Objective]
) -> None:
    line = finished_line(troubled[4], objectives, "5")
    assert line.endswith("error 0.1, macs 4,000, batches in 2 parts")
    assert "parts" not in finished_line(troubled[0], objectives, "1")


def test_the_picture_tells_of_kinds_and_parts(
    troubled: list[Individual], objectives: list[Objective]
) -> None:
    board = Board("digits", 10, None, objectives)
    for one in troubled:
        board.finish(one)
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(panel(board))
    assert "3 failed (2 memory, 1 lost)" in captured.get()
    assert "error 0.1, macs 4,000  in 2 parts" in captured.get()


def test_the_report_names_every_failure_with_its_message(
    troubled: list[Individual], objectives: list[Objective]
) -> None:
    page = html(History(troubled), objectives, "digits", {})
    assert page.count("3 failed (2 memory, 1 lost)") == 2
    assert "in 2 parts</td>" in page
    for one in troubled:
        if isinstance(one.outcome, Failure):
            assert one.outcome.message in page
