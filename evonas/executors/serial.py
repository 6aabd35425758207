"""Candidates one after the other in the calling process: for breakpoints, tests, small searches."""

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import final

from evonas.executors.executor import Evaluate, Executor, Finished, Job, Listener, Pool, Reported
from evonas.executors.guard import Heard, outcome_of
from evonas.history import Cost, Failure, Outcome


@final
@dataclass(frozen=True, kw_only=True)
class Serial(Executor):
    """Evaluate in the calling process.

    Nothing can be killed here: the deadline is looked at when a candidate reports, so one that
    reports nothing is never stopped, and one that crashes the process takes the search with it
    (which then continues from its journal).
    """

    def start(self, evaluate: Evaluate, listener: Listener) -> Pool:
        """Start the pool; jobs run inside `next_finished`."""
        return _SerialPool(evaluate, listener)


class _Overdue(BaseException):
    """Unwinds a candidate past its deadline; no exception, lest a plug-in handle it as its own."""


@final
class _SerialPool(Pool):
    def __init__(self, evaluate: Evaluate, listener: Listener) -> None:
        self._evaluate = evaluate
        self._listener = listener
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def next_finished(self) -> Finished:
        job = self._jobs.popleft()
        return Finished(job.number, self._outcome(job))

    def close(self) -> None:
        self._jobs.clear()

    def _outcome(self, job: Job) -> Outcome:
        cpu = time.process_time()
        due = math.inf if job.deadline is None else time.monotonic() + job.deadline

        heard = Heard(self._listener)

        def listener(reported: Reported) -> None:
            heard(reported)
            if time.monotonic() > due:
                raise _Overdue

        try:
            return outcome_of(self._evaluate, job, listener)
        except _Overdue:
            message = f"still training at its deadline of {job.deadline} s"
            cost = Cost(seconds=time.process_time() - cpu)
            return Failure("timeout", message, cost=cost, curve=heard.curve)
