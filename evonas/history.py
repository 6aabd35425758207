"""The record of a search: individuals in birth order, the only state an algorithm may read."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, final, get_args, overload

from evonas import rows
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
_HASH = re.compile(r"[0-9a-f]{64}")


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


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    """Read what `Evaluation.to_json` or `Failure.to_json` wrote.

    Raises:
        StoreError: if they cannot have written this.
    """
    if "failure" in data:
        row = rows.mapping(data["failure"], "failure")
        return Failure(
            kind=rows.field(row, "kind", _kind),
            message=rows.field(row, "message", rows.text),
            traceback=rows.field(row, "traceback", rows.text),
            cost=rows.field(row, "cost", _cost),
            curve=_curve(row.get("curve", []), "curve"),
        )
    row: Mapping[str, Any] = rows.field(data, "evaluation", rows.mapping)
    same_as = row.get("same_as")
    return Evaluation(
        metrics=rows.field(row, "metrics", rows.numbers),
        cost=rows.field(row, "cost", _cost),
        weights=rows.field(row, "weights", weights_name),
        curve=rows.field(row, "curve", _curve),
        stopped=rows.field(row, "stopped", rows.truth),
        same_as=None if same_as is None else rows.whole(same_as, "same_as"),
        parts=rows.whole(row.get("parts", 1), "parts", 1),
    )


def weights_name(value: Any, what: str) -> str:
    """Return the hash by which a state is stored, or the empty string for none.

    Raises:
        StoreError: if it is no hash: it becomes part of a path.
    """
    if value != "" and not (type(value) is str and _HASH.fullmatch(value)):
        raise StoreError(f"{what} is {ascii(value)[:80]}, should be 64 hexadecimal digits")
    return value


def _kind(value: Any, what: str) -> FailureKind:
    if value not in get_args(FailureKind):
        known = ", ".join(get_args(FailureKind))
        raise StoreError(f"{what} is {ascii(value)[:80]}, should be one of {known}")
    return value


def _cost(value: Any, what: str) -> Cost:
    row = rows.mapping(value, what)
    samples = rows.field(row, "samples", rows.whole)
    return Cost(
        samples, rows.field(row, "macs", rows.number, 0), rows.field(row, "seconds", rows.number, 0)
    )


def _curve(value: Any, what: str) -> Curve:
    points: list[tuple[int, Mapping[str, float]]] = []
    for point in rows.rows(value, what):
        if len(rows.rows(point, what)) != 2:
            raise StoreError(f"{what} has a point of {len(point)} parts, should be 2")
        points.append((rows.whole(point[0], what), rows.numbers(point[1], what)))
    return tuple(points)


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

    Cutting a history shares its log, so that `fold` costs one step per new individual however
    often and at whatever length it is asked.
    """

    def __init__(self, log: list[Individual] | None = None, length: int | None = None) -> None:
        self._log: list[Individual] = [] if log is None else log
        self._length = len(self._log) if length is None else min(length, len(self._log))
        self._folds: dict[object, tuple[int, Any]] = {}

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Individual: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Individual]: ...
    def __getitem__(self, index: int | slice) -> Individual | Sequence[Individual]:
        if isinstance(index, slice):
            return self._log[: self._length][index]
        if not -self._length <= index < self._length:
            raise IndexError(f"individual {index} of a history of {self._length}")
        return self._log[index if index >= 0 else self._length + index]

    def __iter__(self) -> Iterator[Individual]:
        return (self._log[number] for number in range(self._length))

    def until(self, length: int) -> "History":
        """Return the history of the first `length` individuals."""
        cut = History(self._log, min(length, self._length))
        cut._folds = self._folds
        return cut

    def append(self, individual: Individual) -> None:
        """Add the next individual to the log; only the engine does so.

        Raises:
            ValueError: if it is not the next by number.
        """
        if individual.number != len(self._log) or self._length != len(self._log):
            raise ValueError(f"individual {individual.number} after {len(self._log)}")
        self._log.append(individual)
        self._length += 1

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
