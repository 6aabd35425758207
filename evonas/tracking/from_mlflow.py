"""A search read back from MLflow alone, where the run folder is elsewhere or lost.

A genome is read from a parameter and an outcome from a tag, so that a page of the listing tells of
hundreds of candidates; what was too long for that is fetched from the artifacts.
"""

import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from evonas import rows, strict
from evonas.errors import EvonasError, StoreError
from evonas.genome import Birth
from evonas.history import History, Individual
from evonas.outcomes import outcome_from_json
from evonas.tracking import mlflow_store
from evonas.tracking.mlflow_runs import NAME
from evonas.tracking.mlflow_values import LONGEST_NAME, artifacts_of
from evonas.tracking.plain_text import plain
from evonas.tracking.record import (
    GENOME,
    GENOME_FILE,
    NUMBER,
    OUTCOME,
    OUTCOME_FILE,
    SEARCH,
    TAG,
)
from evonas.tracking.side_by_side import side_by_side


def history_from_mlflow(uri: str, experiment: str, name: str) -> History:
    """Rebuild the births and outcomes of the newest search of this name.

    Raises:
        StoreError: if MLflow cannot be read, has no such search, or not all of it.
    """
    database = mlflow_store.database_file(uri)
    if database is not None and not database.exists():
        raise StoreError(f"there is no MLflow store {str(database)!r}")
    client = mlflow_store.open_client(uri)
    try:
        found = client.get_experiment_by_name(experiment)
        if found is None:
            raise StoreError(f"{uri!r} has no experiment {experiment!r}")
        runs = _runs(client, found.experiment_id, name)
        known = {one.number: one for one in _individuals(runs, uri)}
    except (MlflowException, OSError) as error:
        reason = plain(str(error).partition("\n")[0], 200)
        raise StoreError(f"the search {name!r} cannot be read from {uri!r}: {reason}") from error
    if missing := sorted(set(range(max(known, default=0) + 1)) - set(known)):
        raise StoreError(
            f"MLflow lacks {len(missing)} candidates of {name!r}, the first is {missing[0]}; "
            "run `evonas track` on its folder"
        )
    return History([known[number] for number in sorted(known)])


def _runs(client: MlflowClient, experiment: str, name: str) -> Iterator[Run]:
    """Yield the candidates' complete runs of the newest search of this name."""
    named = plain(name, LONGEST_NAME)
    searches = mlflow_store.runs_where(client, experiment, f"tags.`{NAME}` != ''")
    search = next((run for run in searches if run.data.tags[NAME] == named), None)
    if search is None:
        raise StoreError(f"MLflow has no search {name!r}")
    same_search = f"tags.`{SEARCH}` = '{search.data.tags[SEARCH]}'"
    for run in mlflow_store.runs_where(client, experiment, same_search):
        if NUMBER in run.data.tags and mlflow_store.is_over(run):
            yield run


def _individuals(runs: Iterable[Run], uri: str) -> Iterator[Individual]:
    source = iter(runs)
    while some := list(islice(source, mlflow_store.num_lanes(uri))):
        for run, result in zip(
            some, side_by_side([partial(_individual, run, uri) for run in some]), strict=True
        ):
            if isinstance(result, MlflowException | OSError):
                raise result
            if isinstance(result, Exception):
                said = str(result) if isinstance(result, EvonasError) else repr(result)
                raise StoreError(
                    f"run {run.info.run_id!r} in MLflow is none of evonas or damaged: {said}"
                ) from result
            yield result


def _individual(run: Run, uri: str) -> Individual:
    tags = {name.removeprefix(TAG): value for name, value in run.data.tags.items()}
    text, told = run.data.params.get(GENOME), run.data.tags.get(OUTCOME)
    row = {
        "genome": _parsed(text) if text else _artifact(run, GENOME_FILE, uri),
        "operator": tags.get("operator"),
        "parents": _parsed(rows.field(tags, "parents", rows.text)),
        "seed": _parsed(rows.field(tags, "seed", rows.text)),
    }
    birth, number = Birth.from_json(row), int(tags["number"])
    if birth.genome.key != tags["key"]:
        raise ValueError(f"its genome has the key {birth.genome.key}, not {tags['key']}")
    if any(parent >= number for parent in birth.parents):
        raise ValueError(f"its parents {birth.parents} are not all older")
    outcome = _parsed(told) if told else _artifact(run, OUTCOME_FILE, uri)
    return Individual(number, birth, outcome_from_json(rows.mapping(outcome, "outcome")))


def _parsed(text: str) -> Any:
    return strict.parse(text.encode())


def _artifact(run: Run, name: str, uri: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="evonas-") as folder:
        path = artifacts_of(run.info, uri).download_artifacts(name, folder)
        return strict.read(Path(path))
