"""The evaluations under way: none is paid for twice."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import final

from evonas.executors.executor import Job, Pool
from evonas.genome import Birth, Genome, canonical
from evonas.history import Cost, Evaluation, Outcome


@final
class Flights:
    """The candidates between their birth and their outcome.

    Args:
        pool: Evaluates them.
        outcomes: All that are recorded, by number; grows as the search goes on.
    """

    def __init__(self, pool: Pool, outcomes: Mapping[int, Outcome]) -> None:
        self._pool = pool
        self._outcomes = outcomes
        self._paid: dict[str, int] = {}
        self._twins: dict[int, list[Job]] = {}
        self._ready: deque[tuple[int, Outcome]] = deque()
        self._jobs: dict[int, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs) + len(self._ready) + sum(map(len, self._twins.values()))

    def remember(self, number: int, birth: Birth, parents: Sequence[tuple[Genome, str]]) -> None:
        """Note an evaluation that is recorded."""
        self._paid.setdefault(_identity(birth, parents), number)

    def start(self, job: Job) -> None:
        """Evaluate a birth, unless an earlier one is exactly the same evaluation."""
        twin = self._paid.setdefault(_identity(job.birth, job.parents), job.number)
        known = self._outcomes.get(twin)
        if isinstance(known, Evaluation):
            self._ready.append((job.number, _unpaid(known, twin)))
        elif twin != job.number and known is None:
            self._twins.setdefault(twin, []).append(job)
        else:
            self._submit(job)

    def next_finished(self) -> tuple[int, Outcome]:
        """Wait for one of them."""
        while not self._ready:
            event = self._pool.next_finished()
            del self._jobs[event.number]
            self._end(event.number, event.outcome)
        return self._ready.popleft()

    def _end(self, number: int, outcome: Outcome) -> None:
        self._ready.append((number, outcome))
        for twin in self._twins.pop(number, []):
            if isinstance(outcome, Evaluation):
                self._ready.append((twin.number, _unpaid(outcome, number)))
            else:
                self._submit(twin)

    def _submit(self, job: Job) -> None:
        self._jobs[job.number] = job
        self._pool.submit(job)


def _identity(birth: Birth, parents: Sequence[tuple[Genome, str]]) -> str:
    """Return what an evaluation depends on, as a hash."""
    edits = [edit.id for edit in birth.genome.edits]
    weights = [digest for _, digest in parents]
    return canonical.digest([birth.genome.key, edits, weights, birth.seed], size=16)


def _unpaid(outcome: Evaluation, twin: int) -> Evaluation:
    same = outcome.same_as if outcome.same_as is not None else twin
    return Evaluation(
        outcome.metrics, Cost(), outcome.weights, outcome.curve, outcome.stopped, same
    )
