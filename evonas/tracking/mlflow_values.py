"""Values and files as MLflow takes them: names with what it allows, few calls, no text too long."""

import hashlib
import posixpath
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from evonas.tracking.plain_text import plain
from evonas.tracking.record import LONGEST_VALUE, Point

T = TypeVar("T")
LONGEST_NAME = 200
_METRICS_A_BATCH = 800
_PARAMS_A_BATCH = 100
_LONGEST_KEY = 250
_FORBIDDEN = re.compile(r"[^\w\-. :/]", re.ASCII)


def log_values(
    client: MlflowClient,
    run_id: str,
    start: int,
    params: Mapping[str, str],
    points: Sequence[Point],
) -> None:
    """Log with one call, or a few where MLflow's limits on a batch ask for it."""
    metrics = _parts(
        (Metric(key_of(p.name), p.value, start + p.is_final, p.step) for p in points),
        _METRICS_A_BATCH,
    )
    fit = {key_of(name): plain(text, LONGEST_VALUE) for name, text in params.items()}
    values = _parts((Param(key, text) for key, text in fit.items()), _PARAMS_A_BATCH)
    for _ in range(max(-(-len(points) // _METRICS_A_BATCH), -(-len(fit) // _PARAMS_A_BATCH))):
        client.log_batch(run_id, metrics=next(metrics, []), params=next(values, []))


def artifacts_of(run: RunInfo, uri: str) -> ArtifactRepository:
    """Return the artifacts of a run that is known.

    `MlflowClient` would ask the store for the run once more.
    """
    return get_artifact_repository(run.artifact_uri or "", tracking_uri=uri)


def log_files(artifacts: ArtifactRepository, files: Mapping[str, str]) -> None:
    """Log texts as artifacts."""
    with tempfile.TemporaryDirectory(prefix="evonas-") as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8", errors="replace")
        artifacts.log_artifacts(folder)


def tags_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags with values as MLflow takes them."""
    return {name: plain(text, LONGEST_VALUE) for name, text in tags.items()}


def key_of(name: str) -> str:
    """Return a name with only what MLflow allows in one; a long one is shortened in its middle.

    >>> key_of("top-5 %"), key_of("settings.a//b"), key_of("..")
    ('top-5 _', 'settings.a__b', '_..')
    """
    allowed = _FORBIDDEN.sub("_", name)
    if len(allowed) > _LONGEST_KEY:
        mark = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:16]
        allowed = f"{allowed[:150]}.{mark}.{allowed[-60:]}"
    if posixpath.normpath(allowed) != allowed or allowed.startswith(("/", "..")):
        allowed = allowed.replace("/", "_")
    return f"_{allowed}" if allowed in {"", ".", ".."} else allowed


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part
