"""The record of a search: its finished individuals, the only state an algorithm may read."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import count, islice, takewhile
from typing import Any, Literal, TypeVar, final, overload

from evonas.errors import StoreError
from evonas.genome import Birth

T = TypeVar("T")
FailureKind = Literal[
    "diverged",  # a loss or a metric is not finite
    "memory",  # more than there is, or than a candidate may take
    "timeout",  # past its deadline
    "hung",  # not even its interpreter has run for a while
    "lost",  # its worker is gone
    "error",  # an exception of a plug-in
    "infeasible",  # not trained: too large, or known to fail
    "storage",  # the run's folder cannot be used: it ends the search and is not recorded
]
Curve = tuple[tuple[int, Mapping[str, float]], ...]
Order = Literal[
    "birth",  # by number: a history is the same whatever finishes first
    "finish",  # as their outcomes came: nothing waits for a slow candidate
]


@final
@dataclass(frozen=True)
class Cost:
    """What one candidate took.

    Attributes:
        samples: Training samples or environment steps.
        macs: Multiply-accumulates of training: 3 x MACs of a forward pass x samples.
        seconds: CPU seconds of the worker. Clock time, so no algorithm decides by it.
    """

    samples: int = 0
    macs: float = 0.0
    seconds: float = 0.0


@final
@dataclass(frozen=True)
class Evaluation:
    """The outcome of a candidate that was trained.

    Attributes:
        metrics: The trainer's validation metrics and what `evonas.measure` found, by name.
        cost: Of this candidate alone; `evonas.lineage` sums its ancestry.
        weights: SHA-256 of its stored state, or the empty string.
        curve: (step, metrics) as reported while training.
        stopped: Whether it was stopped early.
        same_as: Number of the earlier individual whose evaluation this one repeats unpaid.
        parts: In how many parts each batch was trained, since a whole one took too much memory.
    """

    metrics: Mapping[str, float]
    cost: Cost = field(default_factory=Cost)
    weights: str = ""
    curve: Curve = ()
    stopped: bool = False
    same_as: int | None = None
    parts: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as a JSON object."""
        curve = [list(point) for point in self.curve]
        return {"evaluation": {**vars(self), "cost": vars(self.cost), "curve": curve}}


@final
@dataclass(frozen=True)
class Failure:
    """The outcome of a candidate that could not be evaluated.

    Attributes:
        kind: What went wrong, for the controller and the reader.
        message: One line.
        traceback: Of an exception in a plug-in, else empty.
        cost: What was spent before.
        curve: (step, metrics) as reported before.
    """

    kind: FailureKind
    message: str
    traceback: str = ""
    cost: Cost = field(default_factory=Cost)
    curve: Curve = ()

    def to_json(self) -> dict[str, Any]:
        """Return the failure as a JSON object."""
        curve = [list(point) for point in self.curve]
        return {"failure": {**vars(self), "cost": vars(self.cost), "curve": curve}}


Outcome = Evaluation | Failure


@final
@dataclass(frozen=True)
class Individual:
    """A birth and what came of it."""

    number: int
    birth: Birth
    outcome: Outcome


@final
@dataclass(frozen=True)
class Objective:
    """A metric to be made small or large."""

    name: str
    direction: Literal["min", "max"]

    def loss(self, evaluation: Evaluation) -> float:
        """Return the metric turned so that less is better."""
        value = evaluation.metrics[self.name]
        return value if self.direction == "min" else -value


@final
@dataclass(frozen=True)
class Limit:
    """A hard upper bound on a metric that is known before training."""

    name: str
    maximum: float


def over_limits(sizes: Mapping[str, float], limits: Iterable[Limit]) -> str:
    """Say which limit is broken, or nothing."""
    for limit in limits:
        if limit.name in sizes and sizes[limit.name] > limit.maximum:
            return f"{limit.name} {sizes[limit.name]:.6g} exceed the limit {limit.maximum:.6g}"
    return ""


def check_metrics(individuals: Iterable[Individual], objectives: Sequence[Objective]) -> None:
    """Check that all that was evaluated has the metrics that are compared.

    Raises:
        StoreError: naming one that has not.
    """
    for one in individuals:
        if isinstance(one.outcome, Evaluation):
            for objective in objectives:
                if objective.name not in one.outcome.metrics:
                    raise StoreError(f"candidate {one.number} has no {objective.name!r}")


class History(Sequence[Individual]):
    """The first `length` individuals of one growing log, all of them finished.

    Positions are in the order of the search, whose first is always the seed; `member` looks up by
    number. Cutting a history shares its log, so that `fold` costs one step per new individual
    however often and at whatever length it is asked.
    """

    def __init__(self, log: list[Individual] | None = None) -> None:
        self._log: list[Individual] = [] if log is None else log
        self._places = {one.number: place for place, one in enumerate(self._log)}
        self._waiting: dict[int, list[Individual]] = {}
        self._length = len(self._log)
        self._folds: dict[object, tuple[int, Any]] = {}

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Individual: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Individual]: ...
    def __getitem__(self, index: int | slice) -> Individual | Sequence[Individual]:
        if isinstance(index, slice):
            return [self._log[place] for place in range(self._length)[index]]
        return self._log[range(self._length)[index]]

    def __iter__(self) -> Iterator[Individual]:
        return (self._log[place] for place in range(self._length))

    def member(self, number: int) -> Individual:
        """Return the individual with this number.

        Raises:
            KeyError: if it is not in this history.
        """
        if not self.has(number):
            raise KeyError(f"individual {number} is not in this history of {self._length}")
        return self._log[self._places[number]]

    def has(self, number: int) -> bool:
        """Return whether the individual with this number is in this history."""
        return self._places.get(number, self._length) < self._length

    def until(self, length: int) -> "History":
        """Return the history of the first `length` individuals."""
        cut: History = copy(self)
        cut._length = min(length, self._length)
        return cut

    def append(self, individual: Individual) -> None:
        """Add the next individual to the log; only the engine does so.

        Raises:
            ValueError: if it is there already, or before one of its parents.
        """
        number, parents = individual.number, individual.birth.parents
        if self._length != len(self._log) or number in self._places:
            raise ValueError(f"individual {number} is in this log already")
        if unknown := [parent for parent in parents if parent not in self._places]:
            raise ValueError(f"individual {number} comes before its parents {unknown}")
        self._places[number] = self._length
        self._log.append(individual)
        self._length += 1

    def grow(
        self, births: Sequence[Birth], outcomes: dict[int, Outcome], order: Order
    ) -> list[Individual]:
        """Append all that is complete and return it; only the engine does so.

        Args:
            births: By number.
            outcomes: By number, in the order in which they came.
            order: Of the search.
        """
        if order == "birth":
            numbers = takewhile(outcomes.__contains__, count(self._length))
        else:
            num_seen = self._length + sum(map(len, self._waiting.values()))
            latest_first = islice(reversed(outcomes), len(outcomes) - num_seen)
            numbers = reversed([*latest_first])
        grown = [Individual(number, births[number], outcomes[number]) for number in numbers]
        return [one for newcomer in grown for one in self._settled(newcomer)]

    def _settled(self, newcomer: Individual) -> Iterator[Individual]:
        """Append an individual and who waited for it, unless it has to wait for a parent itself.

        Parents finish first, but for those whose lines were lost and that are evaluated anew.
        """
        lost = [parent for parent in newcomer.birth.parents if parent not in self._places]
        if lost:
            self._waiting.setdefault(lost[0], []).append(newcomer)
            return
        self.append(newcomer)
        yield newcomer
        for one in self._waiting.pop(newcomer.number, []):
            yield from self._settled(one)

    def evaluated(self) -> list[tuple[Individual, Evaluation]]:
        """Return the individuals that were evaluated, with their evaluations."""
        return [(one, one.outcome) for one in self if isinstance(one.outcome, Evaluation)]

    def fold(self, key: object, start: T, step: Callable[[T, Individual], T]) -> T:
        """Return `step` folded over the history from `start`, remembered under `key`.

        `step` must be pure and return immutable values; `key` names both it and its parameters.
        """
        done, value = self._folds.get(key, (0, start))
        if done > self._length:
            done, value = 0, start
        for number in range(done, self._length):
            value = step(value, self._log[number])
        self._folds[key] = (self._length, value)
        return value
