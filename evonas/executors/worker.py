"""One candidate's process, seen by the controller; `evonas.executors.child` is the other side."""

import contextlib
import json
import math
import os
import signal
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, final

import psutil

from evonas.errors import EvonasError
from evonas.executors.child import Room, work
from evonas.executors.executor import Evaluate, Job, Listener, Reported
from evonas.executors.guard import Heard
from evonas.executors.scratch import remove
from evonas.executors.slots import Slot
from evonas.history import Cost, Failure, FailureKind, Outcome
from evonas.outcomes import outcome_from_json

LOOK_SECONDS = 0.2
"""How often the memory and CPU time of a worker are looked at."""

_START_SECONDS = 300.0
"""For the first worker, which imports torch, on a machine that is busy with other things."""

_STARTS, _PAUSE_SECONDS = 6, 0.05
_DEATH_SECONDS = 10.0
_MESSAGES_AT_ONCE = 1000
_MEGABYTE = 2**20


@final
@dataclass(frozen=True)
class Terms:
    """What all workers of a pool have in common.

    Attributes:
        context: Starts them.
        evaluate: What they do.
        listener: Hears their reports.
        memory: Resident megabytes of all processes of one; None for no limit.
        device_memory: Megabytes of an accelerator; None for no limit.
        silence: Seconds without a sign that its interpreter runs, after which it is killed.
    """

    context: ForkServerContext | SpawnContext
    evaluate: Evaluate
    listener: Listener
    memory: int | None
    device_memory: int | None
    silence: float


@final
class Worker:
    """A process that evaluates one job.

    Raises:
        EvonasError: if no process can be started.
    """

    def __init__(self, terms: Terms, job: Job, slot: Slot, scratch: Path) -> None:
        self.job = job
        self.slot = slot
        self._terms = terms
        self._scratch = scratch
        self._heard = Heard(terms.listener)
        self._used_seconds = 0.0
        self._looked = -math.inf
        self._silent_seconds = 0.0
        self._has_begun = False
        self._family: set[psutil.Process] = set()
        self._due = time.monotonic() + _START_SECONDS
        self.pipe, pipe = Pipe()
        lifeline, self._lifeline = Pipe(duplex=False)
        room = Room(slot, scratch, terms.device_memory)
        try:
            self._process = _started(terms.context, pipe, lifeline, room)
        except BaseException:  # an interrupt may come when the process exists already
            self._lifeline.close()
            raise
        pipe.close()
        lifeline.close()
        with contextlib.suppress(OSError):  # one that is dead already is found dead below
            self.pipe.send((terms.evaluate, job))

    @property
    def sentinel(self) -> int:
        """What becomes readable when the worker is dead, as `pipe` does when it has a word."""
        return self._process.sentinel

    @property
    def patience(self) -> float:
        """Seconds until the worker should be looked at even if it says nothing."""
        return max(0.0, min(self._due - time.monotonic(), LOOK_SECONDS))

    def outcome(self) -> Outcome | None:
        """Pass on what the worker has reported; return its outcome if this is its end."""
        is_dead = not self._process.is_alive()  # asked before its last words are read
        try:
            outcome = self._last_word()
        except (EOFError, OSError):
            return self._lost()
        if outcome is not None:
            return outcome
        return self._lost() if is_dead else self._trespass()

    def kill(self) -> None:
        """Kill the process with all it has started, and free what it held."""
        self._look()
        pid = self._process.pid
        assert pid is not None
        with contextlib.suppress(ProcessLookupError):  # dead, or not yet in its own group
            os.killpg(pid, signal.SIGKILL)
        for process in self._family:  # also those that left the group
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.kill()
        self._process.join(_DEATH_SECONDS)
        if not self._process.is_alive():  # else it is stuck in the kernel, which alone can end it
            self._process.close()
        self._lifeline.close()
        self.pipe.close()
        remove(self._scratch)

    def _last_word(self) -> Outcome | None:
        for _ in range(_MESSAGES_AT_ONCE):  # one that never stops must not hold up the others
            if not self.pipe.poll():
                break
            message: dict[str, Any] = json.loads(self.pipe.recv_bytes())
            self._silent_seconds = 0.0
            match message:
                case {"begun": _}:
                    self._has_begun = True
                    limit = self.job.deadline
                    self._due = math.inf if limit is None else time.monotonic() + limit
                case {"step": step, "metrics": metrics}:
                    self._heard(Reported(self.job.number, step, metrics))
                case {"alive": _}:
                    pass
                case _:
                    return outcome_from_json(message)
        return None

    def _lost(self) -> Failure:
        self._process.join(1.0)  # the pipe ends a moment before the process does
        code = self._process.exitcode
        if code is None:
            return self._failure("lost", "the worker closed its pipe")
        if self._is_running():
            return self._failure("lost", "the server that forks the workers was killed")
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

    def _is_running(self) -> bool:
        """Say whether the process runs, whatever the server that forked it has said last."""
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self._process.pid).status() != psutil.STATUS_ZOMBIE
        return False

    def _trespass(self) -> Failure | None:
        now = time.monotonic()
        is_overdue = now > self._due
        if not is_overdue and now < self._looked + LOOK_SECONDS:
            return None
        # a controller that was itself stopped has heard nobody: a look counts for little
        self._silent_seconds += min(now - self._looked, 5 * LOOK_SECONDS)
        self._looked = now
        megabytes = self._look()
        if is_overdue and self._has_begun:
            return self._failure("timeout", f"killed at its deadline of {self.job.deadline} s")
        if is_overdue:
            return self._failure("lost", f"the worker did not begin within {_START_SECONDS:g} s")
        if self._terms.memory is not None and megabytes > self._terms.memory:
            message = f"took {megabytes:.0f} MB of memory where {self._terms.memory} MB are allowed"
            return self._failure("memory", message)
        if self._has_begun and self._silent_seconds > self._terms.silence:
            message = (
                f"its interpreter has not run for {self._terms.silence:g} s:"
                " it hangs in code that holds it, or it was stopped"
            )
            return self._failure("hung", message)
        return None

    def _look(self) -> float:
        """Note the worker's family and their CPU time; return their resident megabytes."""
        seconds = megabytes = 0.0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self._process.pid)
            self._family.update(root.children(recursive=True))
            for process in (root, *self._family):
                with contextlib.suppress(psutil.Error), process.oneshot():
                    times = process.cpu_times()
                    reaped = times.children_user + times.children_system
                    seconds += times.user + times.system + reaped
                    megabytes += process.memory_info().rss / _MEGABYTE
        self._used_seconds = max(self._used_seconds, seconds)
        return megabytes

    def _failure(self, kind: FailureKind, message: str) -> Failure:
        cost = Cost(seconds=self._used_seconds)
        return Failure(kind, message, cost=cost, curve=self._heard.curve)


def _started(context: ForkServerContext | SpawnContext, *given: object) -> BaseProcess:
    """Start a process; again if the server that forks it has died, which starts another.

    One that was just killed is refusing already and not yet known to be dead, hence the pauses.
    """
    for tried in range(_STARTS):
        process = context.Process(target=work, args=given)
        try:
            with _signals_blocked():
                process.start()
        except (OSError, EOFError) as error:
            if tried == _STARTS - 1:
                raise EvonasError(
                    f"cannot start a worker ({error}); its socket is made in"
                    f" {tempfile.gettempdir()!r} (TMPDIR), whose name must be short"
                ) from error
            time.sleep(_PAUSE_SECONDS * 2**tried)
        else:
            return process
    raise AssertionError("the last try either returns or raises")


@contextlib.contextmanager
def _signals_blocked() -> Generator[None]:
    """Start processes that Ctrl-C and SIGTERM do not reach, from their first instruction on.

    The terminal and job schedulers send them to all; the controller decides what they mean.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
