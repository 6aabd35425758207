"""The real command, told to stop: it leaves a valid record and nothing else, and can go on."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from support.commands import Command, command
from support.tiny_search import TINY
from support.waiting import wait_until

from evonas import seeds
from evonas.interrupts import ECHO, PATIENCE
from evonas.store import JOURNAL, decisions, read_journal

pytestmark = pytest.mark.slow

NUM_SIGNALS = 6
BIRTHS = 24
SECONDS = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"

Executor = str | dict[str, Any]
SERIAL: Executor = "serial"
PROCESSES: Executor = {"name": "processes", "workers": 2}


def run_file(folder: Path, **changes: Any) -> Path:
    file = folder / "tiny.toml"
    trainer = {"name": TINY["trainer"], "seconds": SECONDS}
    table = {**TINY, "births": BIRTHS, "durability": "fsync", "trainer": trainer, **changes}
    file.write_text(tomli_w.dumps(table), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The decisions of a search that nobody interrupts."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with command(run_file(folder), folder / "run", folder / "scratch") as running:
        assert running.status(250) == 0, running.said
    return decisions(folder / "run")


def size(folder: Path) -> int:
    journal = folder / JOURNAL
    return journal.stat().st_size if journal.exists() else 0


def wait_for_growth(folder: Path) -> None:
    """Wait for the next line of the journal."""
    length = size(folder)
    wait_until(lambda: size(folder) > length)


def check_ended_well(running: Command, folder: Path, by: signal.Signals) -> None:
    """Check all that is promised of a command that was told to stop just now."""
    start = time.monotonic()
    status = running.status(60)
    assert status == 128 + by, running.said
    assert time.monotonic() - start < 10
    line = running.said.rstrip().splitlines()[-1]
    assert line.startswith(f"evonas: stopped by {by.name}"), running.said
    assert line.endswith("the same command goes on from here")
    assert "Traceback" not in running.said
    assert running.remains() == []
    assert list(running.scratch.iterdir()) == []
    if folder.exists():
        record, intact = read_journal(folder)
        assert intact == size(folder), "the journal has a torn line"
        said = re.search(r"births recorded: (\d+)", line)
        births = len(record.births)
        assert said is None or births - int(said[1]) in {0, 1}, "one may have been on its way"
        assert [path.name for path in folder.rglob(".*")] == [], "drafts are left"
    if HIDE_CURSOR in running.said:
        assert running.said.rindex(SHOW_CURSOR) > running.said.rindex(HIDE_CURSOR)


@pytest.mark.timeout(600)  # a dozen starts of a command that imports torch
@pytest.mark.parametrize("executor", [SERIAL, PROCESSES], ids=["serial", "processes"])
def test_a_search_stopped_six_times_comes_to_the_journal_of_one_that_never_was(
    executor: Executor, tmp_path: Path, undisturbed: list[dict[str, Any]]
) -> None:
    file, folder, scratch = run_file(tmp_path, executor=executor), tmp_path / "run", tmp_path / "t"
    moments = seeds.stream(0, "interrupt")
    lengths: list[int] = []
    for number in range(NUM_SIGNALS):
        by = SIGNALS[number % 3]
        with command(file, folder, scratch, on_terminal=number % 2 == 1) as running:
            wait_until(lambda: running.hears)
            if number % 4:  # else during start-up and set-up
                wait_for_growth(folder)
                time.sleep(moments.uniform(0, 2 * SECONDS))
            else:
                time.sleep(moments.uniform(0, 3))
            (os.killpg if number % 4 > 1 else os.kill)(running.process.pid, by)
            check_ended_well(running, folder, by)
        lengths.append(size(folder))
    assert len(set(lengths)) > NUM_SIGNALS / 2, "signals must come at different moments"
    assert len(decisions(folder)) < len(undisturbed), "the last one must have something left to do"
    with command(file, folder, scratch) as running:
        assert running.status(250) == 0, running.said
    assert decisions(folder) == undisturbed


def test_a_search_that_waits_for_its_mirror_at_the_end_can_be_stopped(tmp_path: Path) -> None:
    file = run_file(tmp_path, births=2, tracker="support.obstinate:Slow")
    with command(file, tmp_path / "run", tmp_path / "t") as running:
        wait_until(lambda: "closing" in running.said)
        os.kill(running.process.pid, signal.SIGTERM)
        check_ended_well(running, tmp_path / "run", signal.SIGTERM)


def test_a_mirror_may_take_half_of_the_time_there_is(tmp_path: Path) -> None:
    file = run_file(tmp_path, tracker="support.obstinate:Slow")
    with command(file, tmp_path / "run", tmp_path / "t") as running:
        wait_until(lambda: size(tmp_path / "run") > 0)
        os.kill(running.process.pid, signal.SIGINT)
        check_ended_well(running, tmp_path / "run", signal.SIGINT)


def told_once(pid: int) -> float:
    os.kill(pid, signal.SIGTERM)
    return PATIENCE


def told_twice(pid: int) -> float:
    os.kill(pid, signal.SIGTERM)
    time.sleep(2 * ECHO)
    os.kill(pid, signal.SIGINT)
    return 0


def told_by_terminal_and_wrapper(pid: int) -> float:
    os.kill(pid, signal.SIGTERM)
    time.sleep(ECHO / 10)
    os.kill(pid, signal.SIGTERM)
    return PATIENCE


@pytest.mark.parametrize("told", [told_once, told_twice, told_by_terminal_and_wrapper])
@pytest.mark.parametrize("on_terminal", [False, True])
def test_what_swallows_the_exception_is_ended_after_a_while_or_by_another_signal(
    tmp_path: Path, told: Callable[[int], float], *, on_terminal: bool
) -> None:
    file, folder = run_file(tmp_path, trainer="support.obstinate:Obstinate"), tmp_path / "run"
    with command(file, folder, tmp_path / "t", on_terminal=on_terminal) as running:
        wait_until(lambda: "training" in running.said)
        time.sleep(0.2)  # so that it sleeps
        patience = told(running.process.pid)
        start = time.monotonic()
        assert running.status(60) == 128 + signal.SIGTERM
        assert patience - 1 < time.monotonic() - start < patience + 2
    assert "ends as it is" in running.said
    assert running.remains() == []
    assert read_journal(folder)[1] == size(folder)
    if on_terminal:
        assert running.said.rindex(SHOW_CURSOR) > running.said.rindex(HIDE_CURSOR)


def test_the_end_of_the_terminal_ends_the_search(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    file = run_file(tmp_path, executor=PROCESSES)
    with command(file, folder, tmp_path / "t", on_terminal=True) as running:
        wait_until(lambda: size(folder) > 0)
        running.hang_up()
        assert running.status(10) == 128 + signal.SIGHUP
    assert running.remains() == []
    assert read_journal(folder)[1] == size(folder)


def test_a_search_whose_hang_ups_are_ignored_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with command(run_file(tmp_path), folder, tmp_path / "t", through=["nohup"]) as running:
        wait_until(lambda: size(folder) > 0)
        os.kill(running.process.pid, signal.SIGHUP)
        assert running.status(250) == 0, running.said


UNREAD = """
import os, sys
from signal import SIGHUP
from evonas import __main__ as command
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
os.dup2(writer, 2)
sys.stdout.write("what nobody reads any more")
command._end_stopped(SIGHUP, KeyboardInterrupt())
"""


def test_output_that_nobody_reads_does_not_change_the_status() -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment = {**buffered, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", UNREAD], env=environment, check=False)
    assert done.returncode == 128 + signal.SIGHUP
