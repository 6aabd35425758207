"""A bar on the terminal: how many candidates are in the tracking system, of how many."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evonas.tracking.tracker import Told


@contextmanager
def arrivals(console: Console | None = None) -> Generator[Told]:
    """Show what the function that is handed out is told; nothing where there is no terminal."""
    console = console or Console(stderr=True)
    columns = (
        TextColumn("tracking"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None, rate="")

        def told(arrived: int, wanted: int) -> None:
            speed = progress.tasks[bar].speed
            rate = f"{speed:.0f} a second" if speed else ""
            progress.update(bar, completed=arrived, total=wanted, rate=rate)

        yield told
