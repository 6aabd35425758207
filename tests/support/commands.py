"""The real `evonas run` as a process group of its own, and what may be left of it."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import final
from uuid import uuid4

import psutil

MARK = "EVONAS_TEST_COMMAND"


@final
@dataclass
class Command:
    """A running command.

    Attributes:
        process: It; the leader of its group.
        mark: What its processes have in their environment.
        scratch: Where it puts temporary files.
    """

    process: subprocess.Popen[bytes]
    mark: str
    scratch: Path
    _terminal: int
    _said: bytearray = field(default_factory=bytearray)
    _is_read: bool = True

    def __post_init__(self) -> None:
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """What it has written so far, to stdout and stderr."""
        return self._said.decode(errors="replace")

    @property
    def hears(self) -> bool:
        """Whether it handles SIGTERM by now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        caught = next(line.split()[1] for line in lines if line.startswith("SigCgt"))
        return bool(int(caught, 16) & (1 << (signal.SIGTERM - 1)))

    def status(self, seconds: float) -> int:
        """Wait for its end; return its exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def hang_up(self) -> None:
        """Close its terminal, and tell it so as the terminal's session would."""
        self.close()
        os.kill(self.process.pid, signal.SIGHUP)

    def close(self) -> None:
        """Read no further."""
        self._is_read = False
        self._reader.join()
        if self._terminal >= 0:
            os.close(self._terminal)
        self._terminal = -1

    def remains(self) -> list[str]:
        """Return those of its processes that are still there a second after its end."""
        end = time.monotonic() + 1
        while (found := self._processes()) and time.monotonic() < end:
            time.sleep(0.02)
        return found

    def descendants(self) -> list[psutil.Process]:
        """Return the processes that it has started, and what those have."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def _processes(self) -> list[str]:
        found: list[str] = []
        for one in psutil.process_iter():
            with suppress(psutil.Error):  # gone meanwhile, a zombie, or not ours to look at
                if one.environ().get(MARK) == self.mark:
                    found.append(" ".join(one.cmdline()))
        return found

    def _read(self) -> None:
        with suppress(OSError):  # how a terminal ends
            while self._is_read:
                if select.select([self._terminal], [], [], 0.05)[0]:
                    chunk = os.read(self._terminal, 4096)
                    self._said += chunk
                    if not chunk:
                        return


@contextmanager
def command(
    run_file: Path,
    folder: Path,
    scratch: Path,
    *,
    on_terminal: bool = False,
    through: Sequence[str] = (),
    patches: Path | None = None,
) -> Generator[Command]:
    """Run the command, with its live view on a terminal of its own, or quietly in a pipe.

    Args:
        run_file: What it searches for.
        folder: Of the run.
        scratch: For its temporary files.
        on_terminal: Whether it has one.
        through: A command that becomes this one.
        patches: A folder of modules that go before all others.
    """
    scratch.mkdir(exist_ok=True)
    mark = uuid4().hex
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    quiet = () if on_terminal else ("--quiet",)
    path = os.pathsep.join([str(patches), *sys.path] if patches else sys.path)
    paths = {"PYTHONPATH": path, "TMPDIR": str(scratch)}
    paths["TORCHINDUCTOR_CACHE_DIR"] = str(scratch.parent / "inductor")
    evonas = (sys.executable, "-m", "evonas", "run", str(run_file), "--out", str(folder), *quiet)
    with _hearing_hangups():
        process = subprocess.Popen(
            [*through, *evonas],
            env={**os.environ, **paths, MARK: mark, "TERM": "xterm", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
    os.close(theirs)
    running = Command(process, mark, scratch, ours)
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        running.close()


@contextmanager
def _hearing_hangups() -> Generator[None]:
    """Start processes that do not ignore SIGHUP, as what runs under `nohup` does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
