"""A disk that is full, or read-only: one line of error, a record without a torn tail, and on."""

import os
import resource
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from support.tiny_search import TINY

from evonas import config, loop, store
from evonas.errors import StoreError
from evonas.genome import Birth, Genome
from evonas.history import Evaluation
from evonas.report.live import Silent
from evonas.store import JOURNAL, Store, decisions, read_journal

BIRTHS = 8


@contextmanager
def largest_file(length: int) -> Generator[None]:
    """Let the system refuse to make any file longer than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def birth(number: int) -> Birth:
    return Birth(Genome(settings={"lr": number}), "settings", (), number)


@pytest.mark.parametrize("room", range(0, 200, 20))
def test_a_line_that_does_not_fit_is_cut_off_and_the_last_that_did_is_named(
    tmp_path: Path, room: int
) -> None:
    opened = Store(tmp_path)
    opened.birth(0, birth(0))
    opened.outcome(0, Evaluation({"error": 0.5}), 1.0)
    before = (tmp_path / JOURNAL).read_bytes()
    kept = r"file too large; the record is kept up to #0; make room and run the same command"
    with largest_file(len(before) + room), pytest.raises(StoreError, match=kept):
        opened.birth(1, birth(1))
    assert (tmp_path / JOURNAL).read_bytes() == before
    opened.birth(1, birth(1))
    opened.close()
    assert len(read_journal(tmp_path)[0].births) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_file_on_a_full_device_stays_as_it_was(tmp_path: Path) -> None:
    store.write_text(tmp_path / "report.html", "before")
    (tmp_path / f".report.html.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="no space left on device; what is recorded is kept; make"):
        store.write_text(tmp_path / "report.html", "after")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def searched(file: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return command("run", str(file), "--out", str(folder), "--quiet")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evonas", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A run file, on a disk with room."""
    path = tmp_path / "tiny.toml"
    table = {**TINY, "births": BIRTHS, "durability": "fsync"}
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What a search decides that has room."""
    folder = tmp_path_factory.mktemp("whole")
    loop.search(config.from_table({**TINY, "births": BIRTHS}, "tiny"), folder, Silent())
    return decisions(folder)


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 64 KiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or not mounted("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder):
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mounted(*arguments: str | Path) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def check_refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    assert done.returncode == 2
    assert done.stderr.startswith("evonas: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("room", [12_000, 24_000])
def test_a_search_on_a_full_disk_ends_in_one_line_and_goes_on_once_there_is_room(
    file: Path, disk: Path, whole: list[dict[str, Any]], room: int
) -> None:
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(64 * 1024 - room))
    done = searched(file, disk / "run")
    check_refused(done, "no space left on device")
    journal = (disk / "run" / JOURNAL) if (disk / "run").exists() else None
    before = journal.read_bytes() if journal else b""
    assert before[-1:] in {b"", b"\n"}
    assert not [path for path in disk.rglob("*") if path.name.startswith(".")]
    ballast.unlink()
    mounted("-o", "remount,size=4m", disk)
    done = searched(file, disk / "run")
    assert done.returncode == 0, done.stderr
    assert (disk / "run" / JOURNAL).read_bytes().startswith(before)
    assert decisions(disk / "run") == whole


@pytest.mark.slow
def test_a_disk_that_has_become_read_only_is_one_line_and_changes_nothing(
    file: Path, disk: Path
) -> None:
    mounted("-o", "remount,size=4m", disk)
    opened = Store(disk / "run")
    opened.birth(0, birth(0))
    before = (disk / "run" / JOURNAL).read_bytes()
    opened.close()
    assert mounted("-o", "remount,ro", disk)
    check_refused(searched(file, disk / "run"), "read-only file system")
    check_refused(command("repair", str(disk / "run")), "read-only file system")
    assert (disk / "run" / JOURNAL).read_bytes() == before
    assert len(read_journal(disk / "run")[0].births) == 1
