"""Short forms for tests of pools."""

from collections.abc import Callable

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
