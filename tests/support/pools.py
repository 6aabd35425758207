"""Short forms for tests of pools."""

import time
from collections.abc import Callable

import psutil

from evonas.executors.executor import Finished, Job, Pool, Reported
from evonas.history import Failure, Outcome

Start = Callable[..., Pool]
"""Starts an executor, which a fixture closes after the test."""


def ignore(_: Reported) -> None:
    """Hear nothing."""


def finish(pool: Pool, *jobs: Job) -> list[Finished]:
    """Submit jobs and wait for as many."""
    for one in jobs:
        pool.submit(one)
    return [pool.next_finished() for _ in jobs]


def failure(outcome: Outcome) -> Failure:
    """Return the failure that an outcome must be."""
    assert isinstance(outcome, Failure), outcome
    return outcome


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait a while for something to become true."""
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def is_gone(pid: int) -> bool:
    """Say whether a process is dead."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
