"""A pool that ends with its test."""

import contextlib
from collections.abc import Iterator

import pytest
from support.executor_jobs import evaluate
from support.pools import Start, ignore

from evonas.executors.executor import Evaluate, Executor, Listener, Pool


@pytest.fixture
def start() -> Iterator[Start]:
    """Start executors; what they run is dead after the test."""
    with contextlib.ExitStack() as stack:

        def start_pool(
            executor: Executor, evaluate: Evaluate = evaluate, listener: Listener = ignore
        ) -> Pool:
            return stack.enter_context(contextlib.closing(executor.start(evaluate, listener)))

        yield start_pool
