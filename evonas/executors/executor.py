"""The executor contract: jobs in, outcomes out in whatever order they come, reports meanwhile."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, final, runtime_checkable

from evonas.genome import Birth, Genome
from evonas.history import Outcome


@final
@dataclass(frozen=True)
class Job:
    """One candidate to evaluate; plain data that travels to a worker.

    Attributes:
        number: Of the birth.
        birth: What to evaluate.
        parents: Genome and weights hash of each parent that has weights, in the birth's order.
        deadline: Wall-clock seconds of running after which it is killed; None for no deadline.
        stop_at: Early stopping: by step, the largest value of `stop_metric`'s loss to go on with.
        parts: In how many parts each batch is trained, for less memory.
    """

    number: int
    birth: Birth
    parents: Sequence[tuple[Genome, str]] = ()
    deadline: float | None = None
    stop_at: Mapping[int, float] = field(default_factory=dict)
    parts: int = 1


@final
@dataclass(frozen=True)
class Reported:
    """A candidate in training has reported."""

    number: int
    step: int
    metrics: Mapping[str, float]


@final
@dataclass(frozen=True)
class Finished:
    """A candidate has come to its end; its weights are stored."""

    number: int
    outcome: Outcome


Listener = Callable[[Reported], None]
"""Hears what candidates in training report, as they report it; must not raise."""

Evaluate = Callable[[Job, Listener], Outcome]
"""Evaluates one job in the calling process; picklable. Exceptions of plug-ins are outcomes."""


@runtime_checkable
class Portable(Protocol):
    """An evaluation that can work in a copy of the run's folder, on another machine.

    One that is not portable needs no files, and works anywhere as it is.
    """

    @property
    def folder(self) -> Path:
        """The run's folder, where weights end."""
        ...

    def files(self, job: Job) -> Mapping[str, Path]:
        """Return the files that a job reads, by their paths relative to the run's folder."""
        ...

    def moved(self, folder: Path) -> Evaluate:
        """Return the same evaluation with its files in another folder."""
        ...


class Pool(ABC):
    """A started executor. Used by one thread."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Accept a job; jobs start in the order they come, as soon as a slot is free."""

    @abstractmethod
    def next_finished(self) -> Finished:
        """Wait for the next submitted job to finish. At least one must be unfinished.

        Meanwhile the listener hears the reports of all running jobs, in this thread.
        """

    @abstractmethod
    def close(self) -> None:
        """Kill what is running and free everything; may be called twice."""


class Executor(ABC):
    """A place to evaluate candidates. Implementations are final, frozen dataclasses.

    Whatever happens to one candidate (exception, deadline, memory, a killed worker) is its own
    `Failure`, with what it had reported; the pool goes on, with another worker in the place of one
    that is gone. Nothing of a worker is left, neither running nor on the disk. The pool evaluates
    every job once: trying again is up to the search.
    """

    group: ClassVar[str] = "evonas.executors"

    @abstractmethod
    def start(self, evaluate: Evaluate, listener: Listener) -> Pool:
        """Start workers that call `evaluate`, which knows where the run's weights are."""
