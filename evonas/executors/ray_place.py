"""A slot of the executor `ray` on its node: an actor that evaluates as `processes` does."""

import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import final

from evonas.executors.executor import Evaluate, Finished, Job, Portable, Reported
from evonas.executors.guard import failure_of
from evonas.executors.processes import Processes
from evonas.executors.ray_files import Copy, Parcels
from evonas.executors.scratch import Scratch
from evonas.history import Evaluation, Failure, Outcome
from evonas.interrupts import kill_children


@final
@dataclass(frozen=True)
class Landed:
    """The last word of a slot about a job.

    Attributes:
        outcome: As on any executor.
        weights: The content of the file that it names; empty if it names none, or if the slot has
            no copy of the folder.
    """

    outcome: Outcome
    weights: bytes = b""


@final
class Place:
    """What runs in a slot's actor. `run` is never called before the call before has ended.

    Args:
        evaluate: Pickled as plain pickle does it, so that what cannot go on to a worker process
            fails here.
        isolation: What a job is evaluated in.
        paths: Where the driver imports from, for what is not installed and lies on a shared disk.
    """

    def __init__(self, evaluate: bytes, isolation: Processes, paths: Sequence[str]) -> None:
        # multiprocessing would otherwise run Ray's main script again in every worker
        vars(sys.modules["__main__"]).pop("__file__", None)
        sys.path.extend(path for path in paths if path not in sys.path)
        self._scratch = Scratch()
        folder = self._scratch.folder()
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)  # what workers leave goes, too
        found: Evaluate = pickle.loads(evaluate)  # noqa: S301 - of the driver, whom Ray trusts too
        self._copy: Copy | None = None
        if isinstance(found, Portable):
            self._copy = Copy(folder)
            found = found.moved(folder)
        self._words: SimpleQueue[Reported | Finished] = SimpleQueue()
        self._pool = isolation.start(found, self._words.put)

    def ready(self) -> None:
        """Return when the slot can work."""

    def run(self, job: Job, parcels: Parcels) -> Generator[Reported | Landed]:
        """Evaluate a job: yield its reports as they come, then how it has landed."""
        if self._copy is not None:
            self._copy.take(parcels)
        threading.Thread(target=self._evaluate, args=(job,), daemon=True).start()
        while isinstance(word := self._words.get(), Reported):
            yield word
        yield self._landed(word.outcome)

    def leave(self) -> None:
        """End all that runs here and remove the folder; the actor is of no use afterwards."""
        kill_children()
        self._scratch.close()

    def _evaluate(self, job: Job) -> None:
        try:
            self._pool.submit(job)
            self._words.put(self._pool.next_finished())
        except Exception as error:  # noqa: BLE001 - the driver waits for a last word
            self._words.put(Finished(job.number, replace(failure_of(error), kind="lost")))

    def _landed(self, outcome: Outcome) -> Landed:
        if isinstance(outcome, Failure) and outcome.kind == "storage":
            return Landed(replace(outcome, kind="lost"))  # of this copy, not the run's
        if isinstance(outcome, Evaluation) and outcome.weights and self._copy is not None:
            return Landed(outcome, self._copy.weights(outcome.weights))
        return Landed(outcome)
