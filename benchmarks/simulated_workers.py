"""Workers that only let a clock run: what an order of births makes of them, without their work."""

import heapq
from dataclasses import dataclass
from typing import final

from evonas import seeds
from evonas.executors.executor import Evaluate, Executor, Finished, Job, Listener, Pool
from evonas.history import Cost, Evaluation


@final
@dataclass(frozen=True, kw_only=True)
class SimulatedWorkers(Executor):
    """Evaluates nothing; every outcome says from when to when the candidate would have run.

    Attributes:
        workers: How many at once.
        sigma: Standard deviation of the logarithm of the durations, whose median is 1.
        seed: Of the durations, which depend on nothing else but the candidate's number.
    """

    workers: int
    sigma: float = 0.8
    seed: int = 0

    def start(self, evaluate: Evaluate, listener: Listener) -> Pool:
        """Start the clock at 0."""
        del evaluate, listener
        return _Clock(self)


@final
class _Clock(Pool):
    def __init__(self, executor: SimulatedWorkers) -> None:
        self._executor = executor
        self._now = 0.0
        self._free = [0.0] * executor.workers
        self._running: list[tuple[float, int, float]] = []

    def submit(self, job: Job) -> None:
        start = max(self._now, heapq.heappop(self._free))
        draws = seeds.stream(self._executor.seed, "duration", job.number)
        end = start + draws.lognormal(0.0, self._executor.sigma)
        heapq.heappush(self._free, end)
        heapq.heappush(self._running, (end, job.number, start))

    def next_finished(self) -> Finished:
        self._now, number, start = heapq.heappop(self._running)
        draws = seeds.stream(self._executor.seed, "error", number)
        metrics = {"error": float(draws.random()), "start": start, "end": self._now}
        return Finished(number, Evaluation(metrics, Cost(seconds=self._now - start)))

    def close(self) -> None:
        self._running.clear()
