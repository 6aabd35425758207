"""MLflow stores for tests: migrated once a session, then copied."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from histories import history
from mlflow_reading import LONG, search

from evonas.tracking.mlflow_store import open_client
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.tracker import track


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite store as evonas makes it, which takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "new" / "mlflow.db"
    open_client(f"sqlite:///{path}").search_experiments()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def uri(template: Path, tmp_path: Path) -> str:
    """Return the URI of an empty store."""
    path = tmp_path / "mlflow.db"
    shutil.copy(template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def mirrored(template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of a store that holds one whole search, to be read only."""
    path = tmp_path_factory.mktemp("mirrored") / "mlflow.db"
    shutil.copy(template, path)
    uri = f"sqlite:///{path}"
    assert track(MlflowTracker(uri=uri), search(), history(), (2, 5), LONG) == ""
    return uri
