"""The evaluations under way: none is paid for twice, and some are tried a second time."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from evonas.errors import StoreError
from evonas.executors.executor import Job, Pool
from evonas.genome import Birth, Genome, canonical
from evonas.history import Cost, Evaluation, Failure, Outcome

PARTS = 2
"""Into so many a batch is cut that took too much memory."""


@final
class Flights:
    """The candidates between their birth and their outcome.

    One that is lost is evaluated once more, so that what is recorded depends neither on the number
    of workers nor on the machine of one that dies. One that runs out of memory is trained once more
    with every batch in two parts. Its children begin with whole batches again: they may be smaller,
    and whether they fit is theirs to show.

    Args:
        pool: Evaluates them.
        outcomes: All that are recorded, by number; grows as the search goes on.
        indivisible: Says why no batch is trained in parts; nothing if they may be.
        told: Hears of every second try.
    """

    def __init__(
        self,
        pool: Pool,
        outcomes: Mapping[int, Outcome],
        *,
        indivisible: str,
        told: Callable[[str], None],
    ) -> None:
        self._pool = pool
        self._outcomes = outcomes
        self._indivisible = indivisible
        self._told = told
        self._paid: dict[str, int] = {}
        self._twins: dict[int, list[Job]] = {}
        self._ready: deque[tuple[int, Outcome]] = deque()
        self._tries: dict[int, _Try] = {}

    def __len__(self) -> int:
        return len(self._tries) + len(self._ready) + sum(map(len, self._twins.values()))

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
            self._submit(_Try(job))

    def refuse(self, number: int, reason: str) -> None:
        """Let a birth fail without an evaluation."""
        self._ready.append((number, Failure("infeasible", reason)))

    def next_finished(self) -> tuple[int, Outcome]:
        """Wait for one of them.

        Raises:
            StoreError: if the run's folder cannot be used; the candidate has no outcome then.
        """
        while not self._ready:
            event = self._pool.next_finished()
            done = self._tries.pop(event.number)
            if again := self._again(done, event.outcome):
                self._submit(again)
            else:
                self._end(event.number, done.outcome(event.outcome, self._indivisible))
        return self._ready.popleft()

    def _again(self, done: "_Try", outcome: Outcome) -> "_Try | None":
        """Return the try that follows, if one does."""
        if not isinstance(outcome, Failure):
            return None
        number, said = done.job.number, f"({outcome.kind}): {outcome.message}"
        if outcome.kind == "storage":
            raise StoreError(f"candidate {number} has no outcome: {outcome.message}")
        spent = done.seconds + outcome.cost.seconds
        if outcome.kind == "lost" and not done.was_lost:
            self._told(f"candidate {number} {said}; it is evaluated once more")
            return replace(done, was_lost=True, seconds=spent)
        if outcome.kind == "memory" and done.job.parts == 1 and not self._indivisible:
            self._told(f"candidate {number} {said}; it is trained once more in {PARTS} parts")
            return replace(done, job=replace(done.job, parts=PARTS), seconds=spent)
        return None

    def _end(self, number: int, outcome: Outcome) -> None:
        self._ready.append((number, outcome))
        for twin in self._twins.pop(number, []):
            if isinstance(outcome, Evaluation):
                self._ready.append((twin.number, _unpaid(outcome, number)))
            else:
                self._submit(_Try(twin))

    def _submit(self, one: "_Try") -> None:
        self._tries[one.job.number] = one
        self._pool.submit(one.job)


@final
@dataclass(frozen=True)
class _Try:
    """A job in the pool, and what went before.

    Attributes:
        job: As submitted.
        was_lost: Whether its worker was lost once.
        seconds: CPU seconds of the tries before.
    """

    job: Job
    was_lost: bool = False
    seconds: float = 0.0

    def outcome(self, outcome: Outcome, indivisible: str) -> Outcome:
        """Return the outcome of this try as that of all."""
        cost = replace(outcome.cost, seconds=outcome.cost.seconds + self.seconds)
        if isinstance(outcome, Evaluation):
            return replace(outcome, cost=cost)
        notes = ["twice"] if outcome.kind == "lost" else []
        if self.job.parts > 1:
            notes.append(f"in {self.job.parts} parts")
        elif outcome.kind == "memory":
            notes.append(indivisible)
        said = f"{outcome.message} ({', '.join(notes)})" if notes else outcome.message
        return replace(outcome, cost=cost, message=said)


def _identity(birth: Birth, parents: Sequence[tuple[Genome, str]]) -> str:
    """Return what an evaluation depends on, as a hash."""
    edits = [edit.id for edit in birth.genome.edits]
    weights = [digest for _, digest in parents]
    return canonical.digest([birth.genome.key, edits, weights, birth.seed], size=16)


def _unpaid(outcome: Evaluation, twin: int) -> Evaluation:
    same = outcome.same_as if outcome.same_as is not None else twin
    return replace(outcome, cost=Cost(), same_as=same)
