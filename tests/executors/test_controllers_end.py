"""What becomes of workers when the process that runs the search comes to a bad end."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest
from support.waiting import is_gone, wait_until

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from evonas.executors.processes import Processes
from support.executor_jobs import evaluate, job

def search():
    pool = Processes(workers=2, start_method={start_method!r}).start(evaluate, print)
    for number, note in enumerate(sys.argv[1:]):
        pool.submit(job(number, {behaviour!r}, note=note))
    print(pool.next_finished().outcome)

{guard}search()
"""


@contextlib.contextmanager
def controller(
    folder: Path, behaviour: str, *, temporary: Path | None = None, **options: str
) -> Generator[subprocess.Popen[str]]:
    """Run a script that searches, in a process group of its own as a terminal's command is."""
    options = {"start_method": "forkserver", "guard": "if __name__ == '__main__': ", **options}
    script = folder / "script.py"
    script.write_text(SCRIPT.format(behaviour=behaviour, **options), encoding="utf-8")
    notes = [str(folder / "first"), str(folder / "second")]
    environment = {} if temporary is None else {"TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, str(script), *notes],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("start_method", ["forkserver", "spawn"])
@pytest.mark.parametrize(
    "behaviour", ["with_a_child", "asleep_with_the_interpreter_locked_and_a_child"]
)
def test_workers_and_their_children_die_with_a_killed_controller(
    tmp_path: Path, start_method: str, behaviour: str
) -> None:
    notes = [tmp_path / "first", tmp_path / "second"]
    with controller(tmp_path, behaviour, start_method=start_method) as process:
        wait_until(lambda: all(note.exists() for note in notes))
        servers = [child.pid for child in psutil.Process(process.pid).children()]
        process.kill()
    wait_until(lambda: all(map(is_gone, servers)))
    pids = [int(pid) for note in notes for pid in note.read_text(encoding="ascii").split()]
    assert len(pids) == 4
    wait_until(lambda: all(map(is_gone, pids)))


@pytest.fixture
def temporary() -> Generator[Path]:
    """A folder with a short name, as those of sockets must be."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_what_a_killed_controller_left_on_the_disk_goes_with_the_next_search(
    tmp_path: Path, temporary: Path
) -> None:
    with controller(tmp_path, "with_a_child", temporary=temporary) as process:
        wait_until(lambda: all((tmp_path / name).exists() for name in ("first", "second")))
        process.kill()
    assert list(temporary.glob("evonas-*"))
    with controller(tmp_path, "good", temporary=temporary) as process:
        process.communicate(timeout=60)
    assert list(temporary.glob("evonas-*")) == []


def test_an_interrupt_reaches_the_controller_alone(tmp_path: Path) -> None:
    notes = [tmp_path / "first", tmp_path / "second"]
    with controller(tmp_path, "with_a_child") as process:
        wait_until(lambda: all(note.exists() for note in notes))
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert "worker" not in errors


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    with controller(tmp_path, "good", guard="") as process:
        output, _ = process.communicate(timeout=60)
    assert "kind='error'" in output
    assert "under `if __name__ == '__main__':`" in output
