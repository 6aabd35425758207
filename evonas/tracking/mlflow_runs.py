"""One search in MLflow: a parent run, and a nested run for every candidate.

Everything here may be repeated: a run is found again by its tags, a run that was cut short is
completed, and a metric written twice with one time stamp is one metric to MLflow. A run that a
server made without our learning of it is looked for before another is made.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from mlflow import MlflowClient
from mlflow.entities import Run, RunInfo
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from evonas.tracking import mlflow_store
from evonas.tracking.mlflow_values import (
    LONGEST_NAME,
    artifacts_of,
    key_of,
    log_files,
    log_values,
    tags_of,
)
from evonas.tracking.plain_text import plain
from evonas.tracking.record import CREDIT, FRONT, MODEL, NUMBER, SEARCH, TAG, Point, Record, flat
from evonas.tracking.tracker import SearchInfo

NAME = f"{TAG}name"
_CHANGEABLE = (CREDIT, FRONT, MODEL)


@final
@dataclass
class Child:
    """What is remembered of a candidate's run: little, since there are thousands.

    Attributes:
        info: MLflow's.
        tags: Those that may change.
        is_over: Whether the run is complete.
    """

    info: RunInfo
    tags: dict[str, str]
    is_over: bool

    @classmethod
    def of(cls, run: Run) -> "Child":
        """Return what is remembered of a run."""
        tags = {name: run.data.tags[name] for name in _CHANGEABLE if name in run.data.tags}
        return cls(run.info, tags, mlflow_store.is_over(run))

    @property
    def run_id(self) -> str:
        """MLflow's name of the run."""
        return self.info.run_id


@final
@dataclass(frozen=True)
class Runs:
    """The runs of one search. Methods raise whatever MLflow raises.

    One thread uses it, but for `write`, which several may call with different numbers.

    Attributes:
        client: Of the store.
        uri: Of the store.
        parent: The search's own run.
        children: The candidates' runs by number.
        in_doubt: Numbers of the candidates whose writing has ever been cut short.
    """

    client: MlflowClient
    uri: str
    parent: Run
    children: dict[int, Child] = field(default_factory=dict)
    in_doubt: set[int] = field(default_factory=set)

    @classmethod
    def open(cls, uri: str, experiment: str, search: SearchInfo, key: str) -> "Runs":
        """Find or make the runs of the search with this key, in an experiment given by its name."""
        client = mlflow_store.open_client(uri)
        place = mlflow_store.experiment_id(client, uri, experiment)
        parent, children = _listed(client, place, f"tags.`{SEARCH}` = '{key}'")
        if parent is None:
            name = plain(search.name, LONGEST_NAME)
            parent = client.create_run(place, tags={SEARCH: key, NAME: name}, run_name=name)
        else:
            client.update_run(parent.info.run_id, status="RUNNING")
        runs = cls(client, uri, parent, children)
        runs.describe(search)
        return runs

    def describe(self, search: SearchInfo) -> None:
        """Write the question on the search's run; MLflow's parameters keep their first values."""
        info, known = self.parent.info, self.parent.data.params
        params = {name: text for name, text in flat(search.config) if key_of(name) not in known}
        log_values(self.client, info.run_id, info.start_time, params, ())
        objectives = {one.name: one.direction for one in search.objectives}
        self.client.set_tag(info.run_id, f"{TAG}objectives", json.dumps(objectives))
        question = {"run.json": json.dumps(search.config, indent=1)}
        log_files(artifacts_of(info, self.uri), question)

    def holds(self, number: int) -> bool:
        """Tell whether a candidate's run is complete."""
        child = self.children.get(number)
        return child is not None and child.is_over

    def write(self, number: int, record: Record) -> None:
        """Make a candidate's run, or complete the one that was cut short."""
        try:
            child = self.children.get(number) or self._found(number) or self._made(record)
            log_values(
                self.client, child.run_id, child.info.start_time, record.params, record.points
            )
            log_files(artifacts_of(child.info, self.uri), record.files)
            end = child.info.start_time + round(record.seconds * 1_000)
            self.client.set_terminated(child.run_id, "FAILED" if record.failed else "FINISHED", end)
        except Exception:
            self.children.pop(number, None)
            self.in_doubt.add(number)
            raise
        child.is_over = True
        self.children[number] = child

    def tag(self, number: int, tags: Mapping[str, str]) -> None:
        """Set what is new or different among the tags of a candidate's run that may change."""
        child = self.children[number]
        for name, value in tags.items():
            if child.tags.get(name) != value:
                self.client.set_tag(child.run_id, name, value)
                child.tags[name] = value

    def progress(self, points: Sequence[Point]) -> None:
        """Add metrics to the search's own run, with the candidate's number as the step."""
        log_values(self.client, self.parent.info.run_id, self.parent.info.start_time, {}, points)

    def close(self, front: Sequence[int]) -> None:
        """Mark the front and end the search's own run."""
        if self.in_doubt:
            _listed(self.client, self.parent.info.experiment_id, self._condition)
        members = set(front)
        for number, child in self.children.items():
            if number in members or FRONT in child.tags:
                self.tag(number, {FRONT: json.dumps(number in members)})
        run_id = self.parent.info.run_id
        self.client.set_tag(run_id, FRONT, json.dumps(list(front)))
        end = max(round(time.time() * 1_000), self.parent.info.start_time)  # clocks go back
        self.client.set_terminated(run_id, end_time=end)

    def _made(self, record: Record) -> Child:
        tags = {
            MLFLOW_PARENT_RUN_ID: self.parent.info.run_id,
            SEARCH: self.parent.data.tags[SEARCH],
            **tags_of(record.tags),
        }
        start = round((time.time() - record.seconds) * 1_000)
        name = plain(record.name, LONGEST_NAME)
        experiment = self.parent.info.experiment_id
        return Child.of(self.client.create_run(experiment, start, tags=tags, run_name=name))

    def _found(self, number: int) -> Child | None:
        """Look for a run that a server may have made, or lost, without our learning of it."""
        if number not in self.in_doubt:
            return None
        condition = f"{self._condition} and tags.`{NUMBER}` = '{number}'"
        return _listed(self.client, self.parent.info.experiment_id, condition)[1].get(number)

    @property
    def _condition(self) -> str:
        return f"tags.`{SEARCH}` = '{self.parent.data.tags[SEARCH]}'"


def _listed(
    client: MlflowClient, experiment: str, condition: str
) -> tuple[Run | None, dict[int, Child]]:
    """Return a search's own run and its candidates' runs; delete what is there twice.

    A server may make a run after we have ceased to wait for it: of two with one number the one that
    is complete stays, or the older one. Runs are deleted as in MLflow's own pages, and can be
    restored.
    """
    parent: Run | None = None
    children: dict[int, Child] = {}
    spare: list[str] = []
    for run in mlflow_store.runs_where(client, experiment, condition):
        if NUMBER not in run.data.tags:
            spare += [parent.info.run_id] if parent else []
            parent = run
            continue
        number, child = int(run.data.tags[NUMBER]), Child.of(run)
        newer = children.get(number)
        keeps = newer if newer is not None and newer.is_over else child
        if newer is not None:
            spare.append((child if keeps is newer else newer).run_id)
        children[number] = keeps
    for run_id in spare:
        client.delete_run(run_id)
    return parent, children
