"""What is known of a running search, and how it looks in a terminal."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evonas.genome import Birth
from evonas.history import Evaluation, Individual, Limit, Objective, over_limits
from evonas.report.cohorts import without_diagnosis
from evonas.report.failed import batches, kinds, num_failed
from evonas.report.numbers import duration, short
from evonas.report.terminal import metric, origin
from evonas.selection import front, hypervolume

_RECENT = 6


@final
@dataclass
class Board:
    """The state of a search as events tell it.

    Attributes:
        name: Of the search.
        births: How many there will be; None where only time ends the search.
        seconds: How long it may take; None where only births end it.
        objectives: Of the search.
        limits: Who breaks one does not belong to the front.
        started: `time.monotonic()` at the start.
    """

    name: str
    births: int | None
    seconds: float | None
    objectives: Sequence[Objective]
    limits: Sequence[Limit] = ()
    started: float = field(default_factory=time.monotonic)
    running: dict[int, Birth] = field(default_factory=dict)
    reports: dict[int, tuple[int, Mapping[str, float]]] = field(default_factory=dict)
    recent: deque[Individual] = field(default_factory=lambda: deque(maxlen=_RECENT))
    evaluated: list[Individual] = field(default_factory=list)
    members: list[Individual] = field(default_factory=list)
    num_done: int = 0
    num_before: int = 0
    failed: Counter[str] = field(default_factory=Counter[str])

    def resume(self, individuals: Sequence[Individual]) -> None:
        """Take in what an earlier session has finished."""
        for one in individuals:
            self.finish(one)
        self.num_before = self.num_done

    def finish(self, individual: Individual) -> None:
        """Take in an outcome."""
        self.running.pop(individual.number, None)
        self.reports.pop(individual.number, None)
        self.recent.appendleft(individual)
        self.num_done += 1
        self.failed += kinds([individual.outcome])
        if isinstance(individual.outcome, Evaluation):
            self.evaluated.append(individual)
            metrics, same_as = individual.outcome.metrics, individual.outcome.same_as
            if same_as is None and not over_limits(metrics, self.limits):
                grown = [*self.members, individual]
                self.members = [grown[index] for index in front([*map(self.losses, grown)])]

    def volume(self) -> float:
        """Return the share of the box between best and worst that the front dominates."""
        columns = list(zip(*map(self.losses, self.evaluated), strict=True))
        spans = [(min(column), max(column)) for column in columns]
        points = [
            [
                (loss - low) / (high - low) if high > low else 0.0
                for loss, (low, high) in zip(self.losses(one), spans, strict=True)
            ]
            for one in self.members
        ]
        return hypervolume(points, [1.0] * len(self.objectives))

    def losses(self, individual: Individual) -> list[float]:
        """Return an evaluated individual's losses, one an objective."""
        assert isinstance(individual.outcome, Evaluation)
        return [objective.loss(individual.outcome) for objective in self.objectives]

    def remaining(self, elapsed: float) -> float | None:
        """Return the seconds that are probably left, if anything tells."""
        left: list[float] = []
        fresh = self.num_done - self.num_before
        if self.births is not None and fresh:
            left.append(elapsed / fresh * max(0, self.births - self.num_done))
        if self.seconds is not None:
            left.append(max(0.0, self.seconds - elapsed))
        return min(left, default=None)


def panel(board: Board) -> RenderableType:
    """Return the picture of a running search."""
    parts = [_progress(board), _standing(board)]
    if board.running:
        parts.append(_training(board))
    if board.recent:
        parts.append(_recent(board))
    return Group(*parts)


def _progress(board: Board) -> RenderableType:
    elapsed = time.monotonic() - board.started
    left = board.remaining(elapsed)
    total, done = (board.births, board.num_done) if board.births else (board.seconds, elapsed)
    line = Table.grid(padding=(0, 2))
    line.add_row(
        Text(board.name, style="bold"),
        ProgressBar(total, min(done, total) if total else 0, width=32),
        f"{board.num_done}{f' of {board.births}' if board.births else ''} births",
        duration(elapsed),
        f"about {duration(left)} left" if left is not None else "",
    )
    return line


def _standing(board: Board) -> RenderableType:
    words = Text(overflow="fold")
    for at, objective in enumerate(board.objectives if board.members else ()):
        best = min(board.members, key=lambda one: board.losses(one)[at])
        words.append(f"best {objective.name} ")
        words.append(metric(best, objective.name), style="bold cyan")
        words.append(f" (#{best.number})   ")
    if board.members:
        words.append(f"front {len(board.members)}   hypervolume {board.volume():.4f}")
    if board.failed:
        words.append(f"   {num_failed(board.failed)}", style="red")
    return words


def _training(board: Board) -> RenderableType:
    table = _grid("in training")
    waiting = [number for number in board.running if number not in board.reports]
    for number, (step, metrics) in sorted(board.reports.items()):
        birth = board.running.get(number)
        shown = without_diagnosis(metrics)
        values = ", ".join(f"{name} {short(value)}" for name, value in shown.items())
        table.add_row(f"#{number}", Text(birth.operator if birth else ""), f"step {step}", values)
    if waiting:
        table.add_row("", f"and {len(waiting)} not yet heard of", "", "", style="dim")
    return table


def _recent(board: Board) -> RenderableType:
    table = _grid("finished")
    members = {one.number for one in board.members}
    for one in board.recent:
        is_front = one.number in members
        table.add_row(
            f"#{one.number}",
            Text(origin(one)),
            Text("front", style="cyan") if is_front else "",
            Text.assemble(*_outcome(one, board.objectives)),
        )
    return table


def _outcome(one: Individual, objectives: Sequence[Objective]) -> Iterator[tuple[str, str]]:
    if isinstance(one.outcome, Evaluation):
        yield ", ".join(f"{name.name} {metric(one, name.name)}" for name in objectives), ""
        yield f"  {batches(one.outcome)}", "dim"
    else:
        yield f"failed ({one.outcome.kind}): {one.outcome.message}", "red"


def _grid(title: str) -> Table:
    table = Table(box=None, title=title, title_justify="left", title_style="dim", show_header=False)
    table.add_column(justify="right", style="bold")
    table.add_column(min_width=24, no_wrap=True)
    table.add_column(min_width=8, no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True)
    return table
