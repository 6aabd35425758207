"""What must be in MLflow and is not yet: tried when it comes, later again, and once at the end."""

import hashlib
import json
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Literal, final

from evonas.history import Cost, Evaluation, Individual
from evonas.lineage import brood, edit_credits, line_cost
from evonas.tracking import mlflow_store
from evonas.tracking.mlflow_models import log_model
from evonas.tracking.mlflow_runs import Runs
from evonas.tracking.record import TAG, Point, Record, record
from evonas.tracking.tally import Tally
from evonas.tracking.tracker import LoadModel, SearchInfo

MODEL = f"{TAG}model"
_PAUSE = 30.0
"""Seconds without a try after a failure, since a try may itself wait for minutes."""


@final
@dataclass
class Writer:
    """Brings one search into MLflow; used by one thread, on which it may take all its time.

    Attributes:
        uri: Of the tracking store.
        experiment: Name of the experiment.
        runs: Which candidates get a run.
        search: What is mirrored.
        leave: Set when nobody waits any longer.
        tally: What has arrived.
    """

    uri: str
    experiment: str
    runs: Literal["all", "front", "none"]
    search: SearchInfo
    leave: Event
    tally: Tally
    _individuals: dict[int, Individual] = field(default_factory=dict)
    _costs: dict[int, Cost] = field(default_factory=dict)
    _broods: dict[tuple[int, int] | None, list[int]] = field(default_factory=dict)
    _waiting: deque[int] = field(default_factory=deque)
    _progress: list[Point] = field(default_factory=list)
    _best: dict[str, float] = field(default_factory=dict)
    _opened: Runs | None = None
    _not_before: float = 0.0

    def take(self, one: Individual) -> None:
        """Take an individual in, and write whatever waits unless there was trouble just now."""
        self._individuals[one.number] = one
        self._costs[one.number] = line_cost(one, self._costs)
        siblings = self._broods.setdefault(brood(one), [])
        siblings.append(one.number)
        self._note_progress(one)
        if self.runs == "all":
            changed = siblings if one.birth.operator == "control" else [one.number]
            self._waiting.extend(number for number in changed if number not in self._waiting)
            self.tally.candidates.difference_update(changed)
        if 0 in self._individuals and time.monotonic() >= self._not_before:
            while self._waiting and self._tries(self._write_next):
                pass

    def show_progress(self) -> None:
        """Write the curve of the best so far; for when nothing else is to be done."""
        if self._progress and time.monotonic() >= self._not_before:
            self._tries(self._write_progress)

    def close(self, front: Sequence[int], load: LoadModel | None) -> None:
        """Try all that waits once more, mark the front, then log its models, which is slow."""
        if 0 not in self._individuals:
            self.tally.is_closed = True
            return
        if self.runs == "front":
            self._waiting.extend(front)
        steps: list[Callable[[], None]] = [self._write_next] * len(self._waiting)
        steps += [self._write_progress, partial(self._end, front)]
        if load is not None and self.runs != "none":
            steps += [partial(self._write_model, number, load) for number in front]
        for step in steps:
            if self.leave.is_set():
                return
            self._tries(step)

    def _tries(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except Exception as error:  # noqa: BLE001 - whatever MLflow raises, the search goes on
            first_line = (str(error).splitlines() or [""])[0]
            self.tally.trouble = f"{type(error).__name__}: {first_line[:200]}"
            self._not_before = time.monotonic() + _PAUSE
            return False
        return not self.leave.is_set()

    def _search_runs(self) -> Runs:
        if self._opened is None:
            client = mlflow_store.open_client(self.uri)
            experiment = mlflow_store.experiment_id(client, self.uri, self.experiment)
            key = _search_key(self.search.name, self._individuals[0])
            self._opened = Runs.open(client, experiment, self.search, key)
        return self._opened

    def _write_next(self) -> None:
        runs = self._search_runs()
        number = self._waiting[0]
        self._waiting.rotate(-1)
        runs.write(number, self._record(number))
        self._waiting.pop()
        self.tally.candidates.add(number)

    def _write_progress(self) -> None:
        points = tuple(self._progress)
        self._search_runs().progress(points)
        del self._progress[: len(points)]

    def _write_model(self, number: int, load: LoadModel) -> None:
        runs, one = self._search_runs(), self._individuals[number]
        assert isinstance(one.outcome, Evaluation)
        run = runs.children[number]
        if MODEL not in run.data.tags:
            model_id = log_model(runs.client, run, load(number), one.outcome.metrics)
            runs.tag(number, {MODEL: model_id})
        self.tally.models.add(number)

    def _end(self, front: Sequence[int]) -> None:
        self._search_runs().close(front)
        self.tally.is_closed = True

    def _record(self, number: int) -> Record:
        one = self._individuals[number]
        parents = [self._individuals[parent] for parent in one.birth.parents[:1]]
        siblings = [self._individuals[sibling] for sibling in self._broods[brood(one)]]
        earned = edit_credits(siblings, self.search.objectives[0]).get(number)
        genome = parents[0].birth.genome if parents else None
        origin = self._individuals[0].birth.genome
        return record(one, genome, self._costs[number], earned, origin)

    def _note_progress(self, one: Individual) -> None:
        if not isinstance(one.outcome, Evaluation):
            return
        for objective in self.search.objectives:
            loss, best = objective.loss(one.outcome), self._best.get(objective.name)
            if not math.isfinite(loss):
                continue
            best = loss if best is None else min(best, loss)
            self._best[objective.name] = best
            value = best if objective.direction == "min" else -best
            self._progress.append(Point(f"best.{objective.name}", value, one.number))


def _search_key(name: str, seed: Individual) -> str:
    """Return what tells this search from any other of its name.

    The seed's outcome holds its measured seconds, so a search started anew has another key, and a
    continued one, which reads them from its journal, has the same.
    """
    text = json.dumps([name, seed.birth.to_json(), seed.outcome.to_json()], sort_keys=True)
    return hashlib.blake2s(text.encode(), digest_size=16).hexdigest()
