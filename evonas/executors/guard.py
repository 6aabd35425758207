"""The last line before a candidate's trouble becomes the search's."""

import time
import traceback
from dataclasses import replace

import torch

from evonas.executors.executor import Evaluate, Job, Listener
from evonas.history import Cost, Failure, Outcome


def outcome_of(evaluate: Evaluate, job: Job, listener: Listener) -> Outcome:
    """Evaluate a job here, in one thread; whatever escapes from `evaluate` is its own failure."""
    started, threads = time.process_time(), torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on their number, and a result on no executor
    try:
        return evaluate(job, listener)
    except SystemExit as left:
        failure = Failure("lost", f"the candidate called sys.exit({left.code!r})")
    except Exception as error:  # noqa: BLE001 - the contract: no candidate stops the search
        failure = failure_of(error)
    finally:
        torch.set_num_threads(threads)
    return replace(failure, cost=Cost(seconds=time.process_time() - started))


def failure_of(error: Exception) -> Failure:
    """Return an unforeseen exception as a failure, also where its own text cannot be made."""
    lines = traceback.format_exception_only(error)
    message = " ".join("".join(lines).split())
    return Failure("error", message, "".join(traceback.format_exception(error)))
