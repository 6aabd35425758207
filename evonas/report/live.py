"""Views of a running search: a live picture in a terminal, plain lines elsewhere, or nothing."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import final

from rich import live
from rich.console import Console, RenderableType

from evonas.config import Run
from evonas.genome import Birth
from evonas.history import Individual, Objective
from evonas.loop import View
from evonas.report.board import Board, panel
from evonas.report.printable import printable
from evonas.report.terminal import closing_line, finished_line

_FRAMES = 3
"""Pictures a second."""


@contextmanager
def view_for(run: Run, *, quiet: bool, console: Console | None = None) -> Generator[View]:
    """Show a search while it runs, as the console allows, and sum it up at the end."""
    console = console or Console()
    if quiet:
        yield Silent()
        return
    births = None if run.births is None else run.births + (run.final.members if run.final else 0)
    seconds = None if run.hours is None else run.hours * 3600
    board = Board(run.name, births, seconds, run.objectives, run.limits)
    view = Live(board, console) if console.is_terminal else Lines(run.objectives, births, console)
    with view:
        yield view


@final
class Silent:
    """Shows nothing."""

    def told(self, message: str) -> None:
        """Show nothing."""

    def resumed(self, individuals: Sequence[Individual]) -> None:
        """Show nothing."""

    def born(self, number: int, birth: Birth) -> None:
        """Show nothing."""

    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """Show nothing."""

    def finished(self, individual: Individual) -> None:
        """Show nothing."""


@final
class Lines:
    """Prints a line for every candidate that comes to its end."""

    def __init__(
        self, objectives: Sequence[Objective], births: int | None, console: Console
    ) -> None:
        self._objectives = objectives
        self._of = "" if births is None else f"/{births}"
        self._console = console
        self._individuals: list[Individual] = []

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        if self._individuals:
            self._print(closing_line(self._individuals))

    def told(self, message: str) -> None:
        """Print what the engine has to say."""
        if message:
            self._print(message)

    def resumed(self, individuals: Sequence[Individual]) -> None:
        """Say how much is there already."""
        self._individuals += individuals
        if individuals:
            self._print(f"going on after {len(individuals)} candidates")

    def born(self, number: int, birth: Birth) -> None:
        """Print nothing."""

    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """Print nothing."""

    def finished(self, individual: Individual) -> None:
        """Print what came of it."""
        self._individuals.append(individual)
        done = f"{len(self._individuals)}{self._of}"
        self._print(finished_line(individual, self._objectives, done))

    def _print(self, line: str) -> None:
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


@final
class Live:
    """Draws the search anew a few times a second, in a thread of its own."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._individuals: list[Individual] = []
        self._lock = Lock()
        self._console = console
        self._picture = live.Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=_FRAMES,
            transient=True,
        )

    def __enter__(self) -> "Live":
        self._picture.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._picture.stop()
        self._console.print(closing_line(self._individuals), markup=False, highlight=False)

    def told(self, message: str) -> None:
        """Print what the engine has to say above the picture."""
        if message:
            self._console.print(printable(message), markup=False, highlight=False)

    def resumed(self, individuals: Sequence[Individual]) -> None:
        """Take in what an earlier session has finished."""
        self._individuals += individuals
        with self._lock:
            self._board.resume(individuals)

    def born(self, number: int, birth: Birth) -> None:
        """Show it among those in training."""
        with self._lock:
            self._board.running[number] = birth

    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """Show the latest metrics of a candidate."""
        with self._lock:
            self._board.reports[number] = step, metrics

    def finished(self, individual: Individual) -> None:
        """Show what came of it."""
        self._individuals.append(individual)
        with self._lock:
            self._board.finish(individual)

    def _render(self) -> RenderableType:
        with self._lock:
            return panel(self._board)
