"""What a test reads back from an MLflow store."""

from pathlib import Path

from histories import OBJECTIVES
from mlflow import MlflowClient
from mlflow.entities import Run

from evonas.tracking.mlflow_store import experiment_id, runs_where
from evonas.tracking.record import NUMBER
from evonas.tracking.tracker import LoadModel, SearchInfo

CONFIG = {"births": 8, "trainer": {"name": "supervised", "epochs": 2}}
LONG = 120.0


def search(load: LoadModel | None = None, name: str = "digits") -> SearchInfo:
    """Return a search as the engine describes it to a tracker."""
    return SearchInfo(name, Path("runs") / name, CONFIG, OBJECTIVES, load)


def all_runs(uri: str, experiment: str) -> list[Run]:
    """Return every run of an experiment."""
    client = MlflowClient(uri)
    return list(runs_where(client, experiment_id(client, uri, experiment), ""))


def parents(uri: str, experiment: str = "evonas") -> list[Run]:
    """Return the runs of the searches themselves, the newest first."""
    return [run for run in all_runs(uri, experiment) if NUMBER not in run.data.tags]


def candidates(uri: str, experiment: str = "evonas") -> dict[int, Run]:
    """Return the candidates' runs by number, of which there is one each."""
    runs = [run for run in all_runs(uri, experiment) if NUMBER in run.data.tags]
    found = {int(run.data.tags[NUMBER]): run for run in runs}
    assert len(found) == len(runs)
    return found


def values(uri: str, run: Run, name: str) -> list[tuple[int, float]]:
    """Return the steps and values of a metric, in the order in which they were logged."""
    points = MlflowClient(uri).get_metric_history(run.info.run_id, name)
    return [(p.step, p.value) for p in sorted(points, key=lambda point: point.timestamp)]


def text_of(uri: str, run: Run, name: str) -> str:
    """Return the text of an artifact."""
    path = MlflowClient(uri).download_artifacts(run.info.run_id, name)
    return Path(path).read_text(encoding="utf-8")
