"""The last line before a candidate's trouble becomes the search's."""

import time
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import final

import torch

from evonas.errors import StoreError
from evonas.executors.executor import Evaluate, Job, Listener, Reported
from evonas.history import Cost, Curve, Failure, Outcome
from evonas.outcomes import legible, point_of, recordable

LONGEST = 10_000
"""Points of a failure's curve that are kept, the last ones; a sane trainer reports fewer."""


@final
class Heard:
    """A listener that passes reports on, and remembers the curve of a candidate that may fail."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._points: deque[tuple[int, Mapping[str, float]]] = deque(maxlen=LONGEST)

    def __call__(self, reported: Reported) -> None:
        """Remember a report and pass it on.

        Raises:
            ValueError: if no journal could hold it.
        """
        try:
            point = point_of([reported.step, dict(reported.metrics)], "report")
        except StoreError as error:
            raise ValueError(str(error)) from None
        self._points.append(point)
        self._listener(reported)

    @property
    def curve(self) -> Curve:
        """What was reported so far."""
        return tuple(self._points)


def outcome_of(evaluate: Evaluate, job: Job, listener: Listener, threads: int = 1) -> Outcome:
    """Evaluate a job here; whatever escapes from `evaluate` is its own failure.

    Sums depend on the number of threads, so that no executor may choose it by what else runs.
    """
    started, before = time.process_time(), torch.get_num_threads()
    heard = Heard(listener)
    torch.set_num_threads(threads)
    try:
        outcome = recordable(evaluate(job, heard))
    except SystemExit as left:
        outcome = Failure("lost", f"the candidate called sys.exit({left.code!r})")
    except Exception as error:  # noqa: BLE001 - the contract: no candidate stops the search
        outcome = failure_of(error)
    else:
        if not isinstance(outcome, Failure) or outcome.curve:
            return outcome
        return replace(outcome, curve=heard.curve)
    finally:
        torch.set_num_threads(before)
    return replace(outcome, cost=Cost(seconds=time.process_time() - started), curve=heard.curve)


def failure_of(error: Exception) -> Failure:
    """Return an unforeseen exception as a failure, also where its own text cannot be made."""
    lines = traceback.format_exception_only(error)
    message = " ".join("".join(lines).split())
    is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    trace = "".join(traceback.format_exception(error))
    return legible(Failure("memory" if is_memory else "error", message, trace))
