"""Candidates side by side on this machine: a process for each, which can be killed for certain.

With forkserver, torch is imported once, in a server that forks the workers: a worker starts in
tens of milliseconds and shares the server's memory. Spawn, the only way where there is no fork,
imports torch for every candidate (seconds).
"""

import multiprocessing
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import Literal, final

from evonas import devices
from evonas.errors import ConfigError
from evonas.executors.child import BEAT_SECONDS
from evonas.executors.cores import usable_cores
from evonas.executors.executor import Evaluate, Executor, Finished, Job, Listener, Pool
from evonas.executors.scratch import Scratch
from evonas.executors.slots import Devices, Layout, Machine, Slot
from evonas.executors.travel import pickled
from evonas.executors.worker import Terms, Worker

StartMethod = Literal["forkserver", "spawn"]

_SLOW = ("torch._dynamo", "evonas.api", "evonas.cli")
"""What every worker would pay for: torch's optimizers import the first when one is made, and the
main module of a search, which multiprocessing runs again in each worker, the others."""

_LEAST_SILENCE = 3 * BEAT_SECONDS


@final
@dataclass(frozen=True, kw_only=True)
class Processes(Executor):
    """Evaluate each candidate in a process of its own.

    On an accelerator every worker pays for a context of its own.

    Attributes:
        workers: How many at once, who take the devices in turn; `auto` is as many as the
            accelerators have room for, or as the CPU has cores for their threads.
        devices: Which are used: `auto` is all accelerators, or the CPU where there is none; a
            number is the first so many accelerators; names are these, or the CPU alone.
        per_device: Candidates at once on an accelerator.
        threads: Of torch in each worker; `auto` is 1 on the CPU, and with accelerators each
            worker's share of the cores.
        memory: Resident megabytes at which a candidate is killed, summed over its processes; some
            250 are torch itself. Looked at a few times a second; None for no limit.
        device_memory: Megabytes of an accelerator that a candidate's tensors may take; None for
            all. Without meaning on the CPU.
        silence: Seconds after which a worker whose interpreter gives no sign of life is killed:
            it hangs in code that holds it, or it was stopped.
        start_method: How workers start.
    """

    workers: int | Literal["auto"] = "auto"
    devices: Devices = "auto"
    per_device: int = 1
    threads: int | Literal["auto"] = "auto"
    memory: int | None = None
    device_memory: int | None = None
    silence: float = 120.0
    start_method: StartMethod = (
        "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    )

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: if this machine cannot do what they say.
        """
        _ = self._layout
        for name in ("memory", "device_memory"):
            if (given := getattr(self, name)) is not None and given < 1:
                raise ConfigError(f"{name} is {given!r}; give megabytes, or leave it out")
        if not self.silence >= _LEAST_SILENCE:
            raise ConfigError(f"silence is {self.silence!r}; give at least {_LEAST_SILENCE:g} s")
        if self.start_method not in (known := multiprocessing.get_all_start_methods()):
            raise ConfigError(f"start_method {self.start_method!r} is not one of {known} here")

    def start(self, evaluate: Evaluate, listener: Listener) -> Pool:
        """Start the pool; workers start with their jobs.

        Raises:
            ConfigError: if the machine has not what is asked, or `evaluate` cannot travel.
        """
        slots = self._layout.slots(Machine(devices.accelerators(), usable_cores()))
        _ = pickled(evaluate, "processes")
        if self.start_method == "forkserver":
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([Worker.__module__, *_SLOW, *_homes(evaluate)])
        else:
            context = multiprocessing.get_context("spawn")
        terms = Terms(
            context=context,
            evaluate=evaluate,
            listener=listener,
            memory=self.memory,
            device_memory=self.device_memory,
            silence=self.silence,
        )
        return _ProcessPool(terms, slots)

    @property
    def _layout(self) -> Layout:
        return Layout(
            workers=self.workers,
            devices=self.devices,
            per_device=self.per_device,
            threads=self.threads,
        )


@final
class _ProcessPool(Pool):
    def __init__(self, terms: Terms, slots: Sequence[Slot]) -> None:
        self._terms = terms
        self._scratch = Scratch()
        self._slots = list(reversed(slots))
        self._jobs: deque[Job] = deque()
        self._running: list[Worker] = []
        self._finished: deque[Finished] = deque()
        # also at exit, before it waits for workers
        weakref.finalize(self, _close, self._running, self._scratch)

    def submit(self, job: Job) -> None:
        self._jobs.append(job)
        self._fill()

    def next_finished(self) -> Finished:
        while not self._finished:
            assert self._running, "next_finished needs an unfinished job"
            pipes = [worker.pipe for worker in self._running]
            sentinels = [worker.sentinel for worker in self._running]
            patience = min(worker.patience for worker in self._running)
            connection.wait([*pipes, *sentinels], patience)
            self._collect()
            self._fill()
        return self._finished.popleft()

    def close(self) -> None:
        self._jobs.clear()
        self._finished.clear()
        _close(self._running, self._scratch)

    def _collect(self) -> None:
        for worker in tuple(self._running):
            outcome = worker.outcome()
            if outcome is not None:
                self._running.remove(worker)
                worker.kill()
                self._slots.append(worker.slot)
                self._finished.append(Finished(worker.job.number, outcome))

    def _fill(self) -> None:
        while self._jobs and self._slots:
            scratch = self._scratch.folder()
            worker = Worker(self._terms, self._jobs.popleft(), self._slots.pop(), scratch)
            self._running.append(worker)


def _homes(evaluate: Evaluate) -> list[str]:
    """Return the modules that a worker needs to unpickle the evaluation and its parts."""
    parts = getattr(evaluate, "__dict__", {}).values()
    homes = {evaluate.__module__, *(type(part).__module__ for part in parts)}
    return sorted(homes - {"__main__"})  # a script is not the server's to run


def _close(running: list[Worker], scratch: Scratch) -> None:
    while running:
        running.pop().kill()
    scratch.close()
