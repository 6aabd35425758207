"""Time that passes strangely: a clock that jumps, and processes that are stopped for a while."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import tomli_w
from support.commands import Command, command
from support.tiny_search import TINY
from support.waiting import wait_until

from evonas.store import JOURNAL, decisions, read_journal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # commands that import torch, or MLflow

YEARS = 4e8  # in seconds
JUMPING = f"""
import itertools, time

real, jumps = time.time, itertools.cycle([0.0, {YEARS}, -{YEARS}, 86_400.0, -3_600.0])
time.time = lambda: real() + next(jumps)
"""
PAUSE = 4.0


def run_file(folder: Path, **changes: Any) -> Path:
    file = folder / "tiny.toml"
    trainer = {"name": TINY["trainer"], "seconds": 0.2}
    executor = {"name": "processes", "workers": 2}
    table = {**TINY, "births": 10, "hours": 1.0, "trainer": trainer, "executor": executor}
    file.write_text(tomli_w.dumps({**table, **changes}), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The decisions of a search whose time passes as it should."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file = run_file(folder, executor="serial")
    with command(file, folder / "run", folder / "scratch") as running:
        assert running.status(250) == 0, running.said
    return decisions(folder / "run")


def has_begun(folder: Path) -> bool:
    journal = folder / JOURNAL
    return journal.exists() and b'"outcome"' in journal.read_bytes()


def test_a_clock_that_jumps_by_years_decides_nothing(
    tmp_path: Path, undisturbed: list[dict[str, Any]]
) -> None:
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches" / "sitecustomize.py").write_text(JUMPING, encoding="ascii")
    folder, scratch, patches = tmp_path / "run", tmp_path / "t", tmp_path / "patches"
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    file = run_file(tmp_path, tracker={"name": "mlflow", "uri": uri})
    start = time.monotonic()
    with command(file, folder, scratch, patches=patches) as running:
        wait_until(lambda: has_begun(folder))
        os.kill(running.process.pid, signal.SIGTERM)
        assert running.status(60) == 128 + signal.SIGTERM
    with command(file, folder, scratch, patches=patches) as running:
        assert running.status(250) == 0, running.said
    assert decisions(folder) == undisturbed
    assert 0 < read_journal(folder)[0].elapsed < time.monotonic() - start
    assert spans(uri), "MLflow holds the search"
    assert all(begin <= end for begin, end in spans(uri)), "a run must not end before it begins"


def spans(uri: str) -> list[tuple[int, int]]:
    """Return when the runs in MLflow began and ended."""
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    runs = MlflowClient(uri).search_runs(["1"])
    return [(run.info.start_time, run.info.end_time) for run in runs if run.info.end_time]


def everything(running: Command) -> list[psutil.Process]:
    return [psutil.Process(running.process.pid), *running.descendants()]


def one_worker(running: Command) -> list[psutil.Process]:
    wait_until(lambda: any(is_worker(one) for one in running.descendants()))
    return [one for one in running.descendants() if is_worker(one)][:1]


def is_worker(process: psutil.Process) -> bool:
    """Return whether it leads a session, as workers do from their first moments on."""
    try:
        return os.getsid(process.pid) == process.pid
    except ProcessLookupError:
        return False


@pytest.mark.parametrize("stopped", [everything, one_worker])
def test_what_is_stopped_and_continued_changes_no_decision(
    tmp_path: Path,
    stopped: Callable[[Command], list[psutil.Process]],
    undisturbed: list[dict[str, Any]],
) -> None:
    folder = tmp_path / "run"
    with command(run_file(tmp_path), folder, tmp_path / "t") as running:
        wait_until(lambda: has_begun(folder))
        chosen = stopped(running)
        for act in (psutil.Process.suspend, psutil.Process.resume):
            for one in chosen:
                with suppress(psutil.NoSuchProcess):  # a worker that came to its end just now
                    act(one)
            time.sleep(PAUSE)
        assert running.status(250) == 0, running.said
    assert decisions(folder) == undisturbed
    assert running.remains() == []
