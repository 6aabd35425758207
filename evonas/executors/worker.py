"""One candidate's process, seen from both ends.

The two speak over a pipe. The controller sends the job, once. The worker answers in JSON: that it
has begun, its reports, its outcome; then it waits to be killed with all it has started. A worker
whose pipe ends, because the controller is gone however it went, kills itself and its children.
"""

import contextlib
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Generator
from multiprocessing.connection import Connection, Pipe
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Any, final

import psutil

from evonas import devices
from evonas.executors.executor import Evaluate, Job, Listener, Reported
from evonas.executors.guard import failure_of, outcome_of
from evonas.history import Cost, Failure, FailureKind, Outcome, outcome_from_json

LOOK_SECONDS = 0.2
"""How often the memory and CPU time of a worker are looked at."""

_START_SECONDS = 300.0
"""For the first worker, which imports torch, on a machine that is busy with other things."""

_MEGABYTE = 2**20


@final
class Worker:
    """A process that evaluates one job."""

    def __init__(
        self,
        context: ForkServerContext | SpawnContext,
        evaluate: Evaluate,
        job: Job,
        *,
        slot: int,
        memory: int | None,
    ) -> None:
        self.job = job
        self.slot = slot
        self._memory = memory
        self._used_seconds = 0.0
        self._looked = -math.inf
        self._has_begun = False
        self._due = time.monotonic() + _START_SECONDS
        self.pipe, theirs = Pipe()
        self._process = context.Process(target=_work, args=(theirs, slot))
        with _interrupts_blocked():
            self._process.start()
        theirs.close()
        with contextlib.suppress(OSError):  # one that is dead already is found dead below
            self.pipe.send((evaluate, job))

    @property
    def sentinel(self) -> int:
        """What becomes readable when the worker is dead, as `pipe` does when it has a word."""
        return self._process.sentinel

    @property
    def patience(self) -> float:
        """Seconds until the worker should be looked at even if it says nothing."""
        return max(0.0, min(self._due - time.monotonic(), LOOK_SECONDS))

    def outcome(self, listener: Listener) -> Outcome | None:
        """Pass on what the worker has reported; return its outcome if this is its end."""
        is_dead = not self._process.is_alive()  # asked before its last words are read
        try:
            outcome = self._last_word(listener)
        except (EOFError, OSError):
            return self._lost()
        if outcome is not None:
            return outcome
        return self._lost() if is_dead else self._trespass()

    def kill(self) -> None:
        """Kill the process with all it has started, and free what it held."""
        pid = self._process.pid
        assert pid is not None
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):  # dead, or not yet in its own group
                os.killpg(pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._process.close()
        self.pipe.close()

    def _last_word(self, listener: Listener) -> Outcome | None:
        while self.pipe.poll():
            message: dict[str, Any] = json.loads(self.pipe.recv_bytes())
            match message:
                case {"begun": _}:
                    self._has_begun = True
                    limit = self.job.deadline
                    self._due = math.inf if limit is None else time.monotonic() + limit
                case {"step": step, "metrics": metrics}:
                    listener(Reported(self.job.number, step, metrics))
                case _:
                    return outcome_from_json(message)
        return None

    def _lost(self) -> Failure:
        self._process.join(1.0)  # the pipe ends a moment before the process does
        code = self._process.exitcode
        if code is None:
            return self._failure("lost", "the worker closed its pipe")
        if code < 0:
            name = signal.Signals(-code).name
            hint = "; perhaps the machine ran out of memory" if name == "SIGKILL" else ""
            return self._failure("lost", f"the worker was killed by {name}{hint}")
        if self._has_begun:
            return self._failure("lost", f"the worker exited with status {code}")
        return self._failure(
            "error",
            f"the worker exited with status {code} before it began; if a script started the"
            " search, it must do so under `if __name__ == '__main__':`",
        )

    def _trespass(self) -> Failure | None:
        now = time.monotonic()
        is_overdue = now > self._due
        if not is_overdue and now < self._looked + LOOK_SECONDS:
            return None
        self._looked = now
        megabytes = self._look()
        if is_overdue and self._has_begun:
            return self._failure("timeout", f"killed at its deadline of {self.job.deadline} s")
        if is_overdue:
            return self._failure("lost", f"the worker did not begin within {_START_SECONDS} s")
        if self._memory is not None and megabytes > self._memory:
            message = f"took {megabytes:.0f} MB of memory where {self._memory} MB are allowed"
            return self._failure("memory", message)
        return None

    def _look(self) -> float:
        """Note the CPU time of the worker and its children; return their resident megabytes."""
        seconds = megabytes = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
                    times = process.cpu_times()
                    reaped = times.children_user + times.children_system
                    seconds += times.user + times.system + reaped
                    megabytes += process.memory_info().rss / _MEGABYTE
        self._used_seconds = max(self._used_seconds, seconds)
        return megabytes

    def _failure(self, kind: FailureKind, message: str) -> Failure:
        return Failure(kind, message, cost=Cost(seconds=self._used_seconds))


@contextlib.contextmanager
def _interrupts_blocked() -> Generator[None]:
    """Start processes that a Ctrl-C does not reach, from their first instruction on.

    The terminal sends it to all; the controller decides what it means.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, slot: int) -> None:
    """Evaluate the one job that comes through the pipe. The worker's main function."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid"):
        os.setsid()
    try:
        evaluate, job = pipe.recv()
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - a plug-in that cannot be imported here
        _send_outcome(pipe, failure_of(error))
        _end_with(pipe)
        return
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    devices.take_turn(slot)
    devices.keep_freed_memory()

    def listener(reported: Reported) -> None:
        _send(pipe, {"step": reported.step, "metrics": dict(reported.metrics)})

    _send(pipe, {"begun": True})
    _send_outcome(pipe, outcome_of(evaluate, job, listener))
    threading.Event().wait()


def _send(pipe: Connection, message: dict[str, Any]) -> None:
    pipe.send_bytes(json.dumps(message).encode())


def _send_outcome(pipe: Connection, outcome: Outcome) -> None:
    try:
        message = json.dumps(outcome.to_json()).encode()
    except Exception as error:  # noqa: BLE001 - metrics that are no numbers, of any kind
        message = json.dumps(failure_of(error).to_json()).encode()
    sys.stdout.flush()
    sys.stderr.flush()
    pipe.send_bytes(message)


def _end_with(pipe: Connection) -> None:
    """Wait for the pipe's end, then end this process and all it has started."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv_bytes()
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
