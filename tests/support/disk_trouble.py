"""Searches that die, each in a process of its own, at a chosen event of their files.

Runs as a script: `python disk_trouble.py FOLDER deaths` kills a search at its first file event,
another at its second, and so on until one comes to its end; `... cuts LENGTH...` lets the system
kill a search in the middle of the write that would make a file longer than so many bytes. After
each death the search is continued. Every one is a line of JSON on standard output.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import torch
from support.tiny_search import TINY

from evonas import config, loop
from evonas.report.live import Silent
from evonas.store import JOURNAL, decisions

BIRTHS = 3
Event = Callable[[str], None]


def search(folder: Path) -> None:
    table = {**TINY, "births": BIRTHS, "lookahead": 2, "durability": "fsync"}
    loop.search(config.from_table(table, "tiny"), folder, Silent())


def told(folder: Path) -> list[dict[str, Any]]:
    """Return what a run's journal tells, if it has one."""
    return decisions(folder) if (folder / JOURNAL).exists() else []


def forked(work: Callable[[], None]) -> int:
    """Do something in a process of its own; return how that ended, as `os.waitpid` does."""
    process = os.fork()
    if process:
        return os.waitpid(process, 0)[1]
    try:
        work()
    finally:
        sys.stdout.flush()
        os._exit(0 if sys.exception() is None else 1)


def watch_files(folder: Path, event: Event) -> None:
    """Call `event` before every opening, renaming, removal and syncing below a folder."""

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        if name in {"open", "os.rename", "os.remove", "os.truncate", "os.mkdir", "fcntl.flock"}:
            path = arguments[0]
            if not isinstance(path, int) and Path(os.fsdecode(path)).is_relative_to(folder):
                event(f"{name} {Path(os.fsdecode(path)).relative_to(folder)}")

    fsync = os.fsync

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        event(f"before fsync {path.name}")
        fsync(descriptor)
        event(f"after fsync {path.name}")

    os.fsync = synced
    sys.addaudithook(audit)


def die_at(folder: Path, place: int, seen: Path) -> None:
    """Search until the event of this number, then die as by `kill -9`."""
    numbers = count()

    def event(name: str) -> None:
        if next(numbers) == place:
            seen.write_text(name, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    watch_files(folder, event)
    search(folder)


def cut_at(folder: Path, length: int) -> None:
    """Search until a file would become longer than this."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, length))
    search(folder)


def say(folder: Path, event: str) -> None:
    """Go on with a search whose process has died; print what was told before and after."""
    before = told(folder)
    torn = b"" if not (folder / JOURNAL).exists() else (folder / JOURNAL).read_bytes()
    status = forked(lambda: search(folder))
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    row = {"event": event, "status": status, "before": before, "after": told(folder)}
    row |= {"is_torn": torn[-1:] not in {b"", b"\n"}, "files": files}
    sys.stdout.write(f"{json.dumps(row)}\n")
    sys.stdout.flush()  # else every fork has it to write, too


def main(to: Path, kind: str, *lengths: str) -> None:
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # imports for seconds, once for all
    if kind == "cuts":
        for length in map(int, lengths):
            folder = to / str(length)
            status = forked(lambda folder=folder, length=length: cut_at(folder, length))
            if os.WIFSIGNALED(status):
                say(folder, f"{signal.Signals(os.WTERMSIG(status)).name} at {length}")
        return
    seen = to / "event"
    for place in count():
        folder = to / str(place)
        status = forked(lambda folder=folder, place=place: die_at(folder, place, seen))
        if not os.WIFSIGNALED(status):
            say(folder, "none")
            return
        say(folder, seen.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
