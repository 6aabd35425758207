"""Candidates side by side on this machine: a process for each, which can be killed for certain.

With forkserver, torch is imported once, in a server that forks the workers: a worker starts in
tens of milliseconds and shares the server's memory. Spawn, the only way where there is no fork,
imports torch for every candidate (seconds).
"""

import multiprocessing
import pickle
import weakref
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Literal, final

from evonas.errors import ConfigError
from evonas.executors.cores import places
from evonas.executors.executor import Evaluate, Executor, Finished, Job, Listener, Pool
from evonas.executors.worker import Worker

StartMethod = Literal["forkserver", "spawn"]


_SLOW = ("torch._dynamo",)
"""What torch's optimizers import when the first is made: seconds that every worker would pay."""


@final
@dataclass(frozen=True, kw_only=True)
class Processes(Executor):
    """Evaluate each candidate in a process of its own.

    On an accelerator every worker pays for a context of its own. Workers take the accelerators in
    turn, so `workers` beyond their number share them.

    Attributes:
        workers: How many at once; `auto` is one for each accelerator or else each CPU core.
        memory: Resident megabytes at which a candidate is killed, summed over its processes; some
            250 are torch itself. Looked at a few times a second; None for no limit.
        start_method: How workers start.
    """

    workers: int | Literal["auto"] = "auto"
    memory: int | None = None
    start_method: StartMethod = (
        "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    )

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: if this machine cannot do what they say.
        """
        if self.workers != "auto" and self.workers < 1:
            raise ConfigError(f"workers is {self.workers!r}; give 'auto' or at least 1")
        if self.memory is not None and self.memory < 1:
            raise ConfigError(f"memory is {self.memory!r}; give megabytes, or leave it out")
        if self.start_method not in (known := multiprocessing.get_all_start_methods()):
            raise ConfigError(f"start_method {self.start_method!r} is not one of {known} here")

    def start(self, evaluate: Evaluate, listener: Listener) -> Pool:
        """Start the pool; workers start with their jobs.

        Raises:
            ConfigError: if `evaluate` cannot travel.
        """
        try:
            pickle.dumps(evaluate)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"executor 'processes' cannot send the candidates' parts to a worker ({error});"
                " define classes at the top of a module, or use executor = 'serial'"
            ) from error
        workers = places() if self.workers == "auto" else self.workers
        if self.start_method == "forkserver":
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([Worker.__module__, *_SLOW, *_homes(evaluate)])
        else:
            context = multiprocessing.get_context("spawn")
        return _ProcessPool(context, evaluate, listener, workers, self.memory)


@final
class _ProcessPool(Pool):
    def __init__(
        self,
        context: ForkServerContext | SpawnContext,
        evaluate: Evaluate,
        listener: Listener,
        workers: int,
        memory: int | None,
    ) -> None:
        self._context = context
        self._evaluate = evaluate
        self._listener = listener
        self._memory = memory
        self._slots = list(reversed(range(workers)))
        self._jobs: deque[Job] = deque()
        self._running: list[Worker] = []
        self._finished: deque[Finished] = deque()
        weakref.finalize(self, _kill, self._running)  # also at exit, before it waits for workers

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
        _kill(self._running)

    def _collect(self) -> None:
        for worker in tuple(self._running):
            outcome = worker.outcome(self._listener)
            if outcome is not None:
                self._running.remove(worker)
                worker.kill()
                self._slots.append(worker.slot)
                self._finished.append(Finished(worker.job.number, outcome))

    def _fill(self) -> None:
        while self._jobs and self._slots:
            self._running.append(
                Worker(
                    self._context,
                    self._evaluate,
                    self._jobs.popleft(),
                    slot=self._slots.pop(),
                    memory=self._memory,
                )
            )


def _homes(evaluate: Evaluate) -> list[str]:
    """Return the modules that a worker needs to unpickle the evaluation and its parts."""
    parts = getattr(evaluate, "__dict__", {}).values()
    homes = {evaluate.__module__, *(type(part).__module__ for part in parts)}
    return sorted(homes - {"__main__"})  # a script is not the server's to run


def _kill(running: list[Worker]) -> None:
    while running:
        running.pop().kill()
