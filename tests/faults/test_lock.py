"""One process at a time holds a run; whoever reads it needs not ask."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.small_record import birth, journal, recorded

from evonas import store
from evonas.errors import StoreError
from evonas.store import JOURNAL, Store, read_journal

HOLD = (
    "import sys, pathlib, evonas.store as s; held = s.Store(pathlib.Path(sys.argv[1]));"
    " print('held'); sys.stdout.flush(); sys.stdin.read()"
)


@contextmanager
def another_process(folder: Path) -> Generator[subprocess.Popen[str]]:
    """Hold a run in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), "runs/digits.toml"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return recorded(tmp_path / "run")


@pytest.mark.slow
def test_whoever_comes_second_is_told_who_holds_the_run(folder: Path) -> None:
    with another_process(folder) as process, pytest.raises(StoreError) as caught:
        Store(folder)
    said = str(caught.value)
    assert f"is in use by process {process.pid} on {socket.gethostname()} since 20" in said
    assert f": -c {folder} runs/digits.toml; wait or stop it" in said


@pytest.mark.slow
def test_the_lock_of_a_killed_process_is_taken_over(folder: Path) -> None:
    with another_process(folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert str(process.pid) in (folder / "lock").read_text(encoding="utf-8")
        Store(folder).close()


def test_what_is_not_text_in_a_lock_file_is_no_trouble(folder: Path) -> None:
    with store.held(folder):
        (folder / "lock").write_bytes(b"\xff\x1b[31m" * 9)
        with pytest.raises(StoreError, match=r"is in use by .\?\[31m"):
            Store(folder)


def test_a_run_is_read_while_its_search_writes_a_line(folder: Path) -> None:
    with store.held(folder), (folder / JOURNAL).open("ab") as file:
        file.write(b'{"birth":{"operator":"wid')
        file.flush()
        assert len(read_journal(folder)[0].births) == 5
    assert journal(folder).endswith(b"wid"), "a reader changes nothing"


def test_a_draft_of_a_dead_process_is_removed_and_one_of_a_living_stays(folder: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    drafts = [folder / f".run.toml.{dead.pid}", folder / "weights" / f".x.safetensors.{dead.pid}"]
    living = folder / "weights" / f".x.safetensors.{os.getppid()}"
    for path in (*drafts, living):
        path.touch()
    Store(folder).close()
    assert not any(path.exists() for path in drafts)
    assert living.exists()


def test_weights_that_nothing_names_are_removed_and_all_others_stay(folder: Path) -> None:
    named = ["ab" * 32, "cd" * 32, "ef" * 32]
    (folder / "teachers.json").write_text(f'{{"weights":"{named[1]}"}}', encoding="utf-8")
    (folder / store.DAMAGED).write_text(f'line 9:\n{{"weights":"{named[2]}","x', encoding="utf-8")
    paths = [store.weights_path(folder, digest) for digest in (*named, "12" * 32)]
    mine = folder / "weights" / "mine.safetensors"
    for path in (*paths, mine):
        path.touch()
    opened = Store(folder)
    opened.birth(5, birth(5))
    opened.close()
    assert [path.exists() for path in (*paths, mine)] == [True, True, True, False, True]


def test_the_same_process_cannot_open_a_run_twice(folder: Path) -> None:
    opened = Store(folder)
    with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
        Store(folder)
    opened.close()
    Store(folder).close()


def test_a_run_whose_opening_failed_is_not_held(folder: Path) -> None:
    whole = journal(folder)
    (folder / JOURNAL).write_bytes(b"x" + whole)
    with pytest.raises(StoreError):
        Store(folder)
    (folder / JOURNAL).write_bytes(whole)
    Store(folder).close()
