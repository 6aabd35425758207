"""The real command, killed as a crash would: nothing recorded is lost, and it goes on."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from support.tiny_search import TINY

from evonas import seeds
from evonas.store import JOURNAL, Store, decisions

pytestmark = pytest.mark.slow

NUM_KILLS = 10
BIRTHS = 30
SECONDS = 0.03  # a training, so that a search lasts for many times the wait before a kill


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("question") / "tiny.toml"
    trainer = {"name": TINY["trainer"], "seconds": SECONDS}
    table = {**TINY, "births": BIRTHS, "durability": "fsync", "trainer": trainer}
    file.write_text(tomli_w.dumps(table), encoding="utf-8")
    return file


@contextmanager
def command(run_file: Path, folder: Path) -> Generator[subprocess.Popen[str]]:
    """Run `evonas run`; whatever happens, it is dead in the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "evonas", "run", str(run_file), "--out", str(folder), "--quiet"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def intact_lines(folder: Path) -> list[dict[str, Any]]:
    """Return what a reader of the journal finds after a crash, as the search would."""
    return decisions(folder) if (folder / JOURNAL).exists() else []


@pytest.mark.timeout(900)  # twelve starts of a command that imports torch
def test_a_search_killed_ten_times_comes_to_the_journal_of_one_that_never_was(
    run_file: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with command(run_file, whole) as process:
        _, errors = process.communicate(timeout=250)
        assert process.returncode == 0, errors
    step = size(whole / JOURNAL) // NUM_KILLS
    moments = seeds.stream(0, "kill")
    recorded: list[dict[str, Any]] = []
    lengths: set[int] = set()
    for number in range(NUM_KILLS):
        with command(run_file, killed) as process:
            while size(killed / JOURNAL) < number * step and process.poll() is None:
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.1))
        survived = intact_lines(killed)
        assert all(line in survived for line in recorded), f"lost by kill {number}"
        recorded = survived
        lengths.add(len(survived))
    assert len(lengths) > NUM_KILLS / 2, "kills must come at different moments of the search"
    assert max(lengths) < 2 * BIRTHS, "the last one must have something left to do"
    with command(run_file, killed) as process:
        _, errors = process.communicate(timeout=250)
        assert process.returncode == 0, errors
    assert decisions(killed) == decisions(whole)


def test_a_second_process_on_the_same_run_is_refused(run_file: Path, tmp_path: Path) -> None:
    with closing(Store(tmp_path / "run")), command(run_file, tmp_path / "run") as process:
        _, errors = process.communicate(timeout=250)
    assert process.returncode == 2
    assert errors.startswith("evonas: ")
    assert f"is in use by process {os.getpid()}" in errors
    assert "Traceback" not in errors


def test_a_folder_that_cannot_be_made_is_one_line_of_error(run_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with command(run_file, tmp_path / "file" / "run") as process:
        _, errors = process.communicate(timeout=250)
    assert process.returncode == 2
    assert errors.startswith("evonas: cannot write to ")
    assert errors.count("\n") == 1
