"""One search in MLflow: a parent run, and a nested run for every candidate.

Everything here may be repeated: a run is found again by its tags, a run that was cut short is
completed, and a metric written twice with one time stamp is one metric to MLflow.
"""

import hashlib
import json
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar, final

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from evonas.tracking import mlflow_store
from evonas.tracking.record import FRONT, NUMBER, SEARCH, TAG, Point, Record, flat
from evonas.tracking.tracker import SearchInfo

T = TypeVar("T")
NAME = f"{TAG}name"
_METRICS_A_BATCH = 800
_PARAMS_A_BATCH = 100
_LONGEST_KEY = 250
_FORBIDDEN = re.compile(r"[^\w\-. :/]")


@final
@dataclass(frozen=True)
class Runs:
    """The runs of one search. Methods raise whatever MLflow raises. Used by one thread.

    Attributes:
        client: Of the store.
        parent: The search's own run.
        children: The candidates' runs by number.
        finished: Numbers of the candidates whose run is complete.
    """

    client: MlflowClient
    parent: Run
    children: dict[int, Run] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)

    @classmethod
    def open(cls, client: MlflowClient, experiment: str, search: SearchInfo, key: str) -> "Runs":
        """Find or make the runs of the search with this key, in an experiment given by its id."""
        children: dict[int, Run] = {}
        parent: Run | None = None
        for run in mlflow_store.runs_where(client, experiment, f"tags.`{SEARCH}` = '{key}'"):
            if NUMBER in run.data.tags:
                children[int(run.data.tags[NUMBER])] = run
            else:
                parent = run
        if parent is None:
            tags = {SEARCH: key, NAME: search.name}
            parent = client.create_run(experiment, tags=tags, run_name=search.name)
        else:
            client.update_run(parent.info.run_id, status="RUNNING")
        _describe(client, parent, search)
        done = {number for number, run in children.items() if _is_over(run)}
        return cls(client, parent, children, done)

    def write(self, number: int, record: Record) -> None:
        """Make a candidate's run, or complete it, or bring its tags up to date."""
        if number in self.finished:
            self.tag(number, record.tags)
            return
        run = self.children.get(number) or self._start(number, record)
        run_id, start = run.info.run_id, run.info.start_time
        _log_batches(self.client, run, record.params, record.points)
        log_files(self.client, run_id, record.files)
        end = start + round(record.seconds * 1_000)
        self.client.set_terminated(run_id, "FAILED" if record.failed else "FINISHED", end)
        self.finished.add(number)

    def tag(self, number: int, tags: Mapping[str, str]) -> None:
        """Set what is new or different among the tags of a candidate's run."""
        run = self.children[number]
        for name, value in tags.items():
            if run.data.tags.get(name) != value:
                self.client.set_tag(run.info.run_id, name, value)
                run.data.tags[name] = value

    def progress(self, points: Sequence[Point]) -> None:
        """Add metrics to the search's own run, with the candidate's number as the step."""
        _log_batches(self.client, self.parent, {}, points)

    def close(self, front: Sequence[int]) -> None:
        """Mark the front and end the search's own run."""
        for number in self.children:
            if number in front or FRONT in self.children[number].data.tags:
                self.tag(number, {FRONT: json.dumps(number in front)})
        run_id = self.parent.info.run_id
        self.client.set_tag(run_id, FRONT, json.dumps(list(front)))
        self.client.set_terminated(run_id)

    def _start(self, number: int, record: Record) -> Run:
        tags = {
            MLFLOW_PARENT_RUN_ID: self.parent.info.run_id,
            SEARCH: self.parent.data.tags[SEARCH],
            **record.tags,
        }
        start = round((time.time() - record.seconds) * 1_000)
        run = self.client.create_run(
            self.parent.info.experiment_id, start, tags=tags, run_name=record.name
        )
        self.children[number] = run
        return run


def log_files(client: MlflowClient, run_id: str, files: Mapping[str, str]) -> None:
    """Log texts as artifacts of a run, in one call."""
    with tempfile.TemporaryDirectory(prefix="evonas-") as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        client.log_artifacts(run_id, folder)


def _describe(client: MlflowClient, parent: Run, search: SearchInfo) -> None:
    """Write the question on the search's run; MLflow's parameters keep their first values."""
    known = parent.data.params
    params = {name: text for name, text in flat(search.config) if _key(name) not in known}
    _log_batches(client, parent, params, ())
    objectives = {one.name: one.direction for one in search.objectives}
    client.set_tag(parent.info.run_id, f"{TAG}objectives", json.dumps(objectives))
    log_files(client, parent.info.run_id, {"run.json": json.dumps(search.config, indent=1)})


def _log_batches(
    client: MlflowClient, run: Run, params: Mapping[str, str], points: Sequence[Point]
) -> None:
    """Log with one call, or a few where MLflow's limits on a batch ask for it."""
    start = run.info.start_time
    metrics = _parts(
        (Metric(_key(p.name), p.value, start + p.is_final, p.step) for p in points),
        _METRICS_A_BATCH,
    )
    values = _parts((Param(_key(name), text) for name, text in params.items()), _PARAMS_A_BATCH)
    for _ in range(max(-(-len(points) // _METRICS_A_BATCH), -(-len(params) // _PARAMS_A_BATCH))):
        client.log_batch(run.info.run_id, metrics=next(metrics, []), params=next(values, []))


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part


def _key(name: str) -> str:
    """Return a name with only what MLflow allows in one; a long one is shortened in its middle."""
    allowed = _FORBIDDEN.sub("_", name)
    if len(allowed) <= _LONGEST_KEY:
        return allowed
    mark = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{allowed[:150]}.{mark}.{allowed[-60:]}"


def _is_over(run: Run) -> bool:
    return RunStatus.is_terminated(RunStatus.from_string(run.info.status))
