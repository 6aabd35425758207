"""One candidate's process, seen from inside.

The controller sends the job through the pipe, once. The process answers in JSON: that it has begun,
that its interpreter runs, its reports, its outcome; then it waits to be killed with all it has
started. When its lifeline ends, because the controller is gone however it went, it is killed too.
"""

import contextlib
import fcntl
import json
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, final

from evonas import devices
from evonas.executors.executor import Reported
from evonas.executors.guard import failure_of, outcome_of
from evonas.executors.slots import Slot
from evonas.history import Outcome

BEAT_SECONDS = 1.0
"""How often a process says that its interpreter runs."""


@final
@dataclass(frozen=True)
class Room:
    """What a process may use.

    Attributes:
        slot: Its device and threads.
        scratch: The folder for its temporary files.
        device_memory: Megabytes of its accelerator; None for all there are.
    """

    slot: Slot
    scratch: Path
    device_memory: int | None


def work(pipe: Connection, lifeline: Connection, room: Room) -> None:
    """Evaluate the one job that comes through the pipe. The process's main function."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.setsid()
    _end_with(lifeline)
    line = _Line(pipe)
    try:
        _enter(room)  # before plug-ins are imported: one may start the driver of an accelerator
        evaluate, job = pipe.recv()
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - a plug-in that cannot be imported here
        line.end(failure_of(error))
        threading.Event().wait()
        return

    def listener(reported: Reported) -> None:
        line.say({"step": reported.step, "metrics": dict(reported.metrics)})

    line.say({"begun": True})
    threading.Thread(target=line.beat, daemon=True).start()
    line.end(outcome_of(evaluate, job, listener, room.slot.threads))
    threading.Event().wait()


@final
class _Line:
    """What several threads say to the controller."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def say(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self._send(json.dumps(message).encode())

    def beat(self) -> None:
        """Say that the interpreter runs, as long as it does."""
        with contextlib.suppress(OSError):  # the controller is gone, and so is this process soon
            while True:
                self.say({"alive": True})
                time.sleep(BEAT_SECONDS)

    def end(self, outcome: Outcome) -> None:
        """Send the last word, with all that was printed before it."""
        message = json.dumps(outcome.to_json()).encode()
        sys.stdout.flush()
        sys.stderr.flush()
        self._send(message)

    def _send(self, message: bytes) -> None:
        with self._lock:
            self._pipe.send_bytes(message)


def _enter(room: Room) -> None:
    os.environ["TMPDIR"] = tempfile.tempdir = str(room.scratch)
    devices.use(room.slot.device)
    if room.device_memory is not None:
        devices.limit_memory(room.device_memory)
    devices.keep_freed_memory()


def _end_with(lifeline: Connection) -> None:
    """End this process and its group when the lifeline ends.

    A thread does it anywhere. On Linux the kernel does, since code that holds the interpreter would
    keep a thread from it for as long as that hangs.
    """
    threading.Thread(target=_wait_and_end, args=(lifeline,), daemon=True).start()
    if sys.platform == "linux":
        file = lifeline.fileno()
        fcntl.fcntl(file, fcntl.F_SETOWN, -os.getpid())
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(file, fcntl.F_GETFL)
        fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_ASYNC)


def _wait_and_end(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os.killpg(0, signal.SIGKILL)
