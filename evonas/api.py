"""The Python API: search, open a run, and what can be done with what was found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from evonas import config, loop, store
from evonas.config import Run
from evonas.found import Found, Member
from evonas.loop import View
from evonas.places import default_folder, folder_of
from evonas.report.live import Silent
from evonas.trust import trusted

__all__ = [
    "Found",
    "Member",
    "Run",
    "View",
    "configure",
    "default_folder",
    "folder_of",
    "open_run",
    "search",
    "trained_network",
]


def configure(file: Path | str, overrides: Sequence[str] = ()) -> Run:
    """Read a run file; see `evonas.config.Run` for its keys.

    Raises:
        ConfigError: if it cannot be used.
    """
    return config.read(Path(file), overrides)


def search(
    run: Run | Path | str | Mapping[str, Any],
    *,
    out: Path | str | None = None,
    view: View | None = None,
) -> Found:
    """Search, or go on with a search, and return what was found.

    Args:
        run: A run file's path, its contents as a mapping, or what `configure` returned.
        out: The run's folder; by default `runs/NAME`.
        view: Whoever watches; nobody by default.

    Raises:
        ConfigError: if the run cannot work as configured; nothing has been trained then.
        StoreError: if the folder cannot be used.
    """
    if isinstance(run, Mapping):
        table = {key: value for key, value in run.items() if key != "name"}
        run = config.from_table(table, str(run.get("name", "search")))
    elif not isinstance(run, Run):
        run = configure(run)
    folder = Path(out) if out is not None else default_folder(run.name)
    loop.search(run, folder, view or Silent())
    return Found(folder, run)


def open_run(path: Path | str, *, trust: bool = False) -> Found:
    """Open a run by its folder or its run file; a running search may be looked at.

    With `trust` the folder may be somebody else's and yet run the code that it names.

    Raises:
        ConfigError: if there is none, or it names code and is neither yours nor trusted.
        StoreError: if it is damaged.
    """
    folder = folder_of(path)
    is_trusted = trust or trusted(folder)
    return Found(folder, config.from_table(store.read_config(folder), folder.name), is_trusted)


def trained_network(run: str, candidate: int | None = None) -> nn.Module:
    """Return a network that a search has trained, the best one by default.

    The space `adopted` starts another search from it: `network = "evonas.api:trained_network"`
    with `arguments = { run = "runs/NAME" }`.

    Raises:
        ConfigError: if there is no such run or candidate.
    """
    found = open_run(run)
    return (found.best() if candidate is None else found.member(candidate)).model()
