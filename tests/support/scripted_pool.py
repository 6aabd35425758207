"""A pool whose candidates come to the ends that a script says."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from evonas.executors.executor import Finished, Job, Pool
from evonas.genome import Birth, Genome
from evonas.history import Outcome


@final
@dataclass(frozen=True)
class ScriptedPool(Pool):
    """Ends the tries of each number in the order of its outcomes; the last one stands for more."""

    outcomes: Mapping[int, Sequence[Outcome]]
    jobs: list[Job] = field(default_factory=list)
    waiting: deque[Job] = field(default_factory=deque)

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.waiting.append(job)

    def next_finished(self) -> Finished:
        job = self.waiting.popleft()
        number = job.number
        tries = sum(one.number == number for one in self.jobs) - 1
        ends = self.outcomes[number]
        return Finished(number, ends[min(tries, len(ends) - 1)])

    def close(self) -> None:
        self.waiting.clear()


def scripted_job(number: int, *, seed: int | None = None) -> Job:
    """Return the job of a birth; those of the same seed are the same evaluation."""
    return Job(number, Birth(Genome(), "none", (), number if seed is None else seed))
