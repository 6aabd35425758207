"""A search read back from MLflow alone, where the run folder is elsewhere or lost."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from evonas import rows, strict
from evonas.errors import EvonasError, StoreError
from evonas.genome import Birth
from evonas.history import History, Individual, outcome_from_json
from evonas.tracking import mlflow_store
from evonas.tracking.mlflow_runs import NAME
from evonas.tracking.record import GENOME_FILE, NUMBER, OUTCOME_FILE, SEARCH, TAG


def history_from_mlflow(uri: str, experiment: str, name: str) -> History:
    """Rebuild the births and outcomes of the newest search of this name.

    Raises:
        StoreError: if MLflow has no such search, or not all of it.
    """
    database = mlflow_store.database_file(uri)
    if database is not None and not database.exists():
        raise StoreError(f"there is no MLflow store {str(database)!r}")
    client = mlflow_store.open_client(uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        raise StoreError(f"{uri!r} has no experiment {experiment!r}")
    runs = _candidates(client, found.experiment_id, name)
    if missing := sorted(set(range(max(runs, default=0) + 1)) - set(runs)):
        raise StoreError(
            f"MLflow lacks {len(missing)} candidates of {name!r}, the first is {missing[0]}; "
            "run `evonas track` on its folder"
        )
    return History([_individual(client, number, runs[number]) for number in sorted(runs)])


def _candidates(client: MlflowClient, experiment: str, name: str) -> Mapping[int, Run]:
    searches = mlflow_store.runs_where(client, experiment, f"tags.`{NAME}` != ''")
    search = next((run for run in searches if run.data.tags[NAME] == name), None)
    if search is None:
        raise StoreError(f"MLflow has no search {name!r}")
    same_search = f"tags.`{SEARCH}` = '{search.data.tags[SEARCH]}'"
    return {
        int(run.data.tags[NUMBER]): run
        for run in mlflow_store.runs_where(client, experiment, same_search)
        if NUMBER in run.data.tags
    }


def _individual(client: MlflowClient, number: int, run: Run) -> Individual:
    with tempfile.TemporaryDirectory(prefix="evonas-") as folder:
        genome, outcome = (
            _json(client.download_artifacts(run.info.run_id, name, folder))
            for name in (GENOME_FILE, OUTCOME_FILE)
        )
    tags = {name.removeprefix(TAG): value for name, value in run.data.tags.items()}
    try:
        birth = _birth(genome, tags, number)
        return Individual(number, birth, outcome_from_json(rows.mapping(outcome, OUTCOME_FILE)))
    except EvonasError as error:
        raise StoreError(f"candidate {number} in MLflow cannot be: {error}") from None


def _birth(genome: object, tags: Mapping[str, str], number: int) -> Birth:
    parents = rows.field(tags, "parents", rows.text)
    row = {
        "genome": genome,
        "operator": tags.get("operator"),
        "parents": strict.parse(parents.encode()),
        "seed": strict.parse(rows.field(tags, "seed", rows.text).encode()),
    }
    birth = Birth.from_json(row)
    if any(parent >= number for parent in birth.parents):
        raise StoreError(f"its parents {birth.parents} are not all older")
    return birth


def _json(path: str) -> Any:
    return strict.read(Path(path))
