"""A real MLflow server behind a connection that fails: nothing is lost, nothing is doubled."""

import json
import shutil
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from faulty_proxy import Fault, FaultyProxy, faulty_proxy
from histories import long_history
from mlflow_reading import LONG, candidates, parents, search
from mlflow_server import mlflow_server

from evonas.history import History
from evonas.tracking.from_mlflow import history_from_mlflow
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.tracker import track

pytestmark = pytest.mark.slow
MANNERS: tuple[Fault, ...] = ("away", "silent", "slow", "lost", "garbage", 507)
FAULTS: tuple[Fault, ...] = (
    "away", "silent", "slow", "lost", "garbage", 401, 403, 404, 429, 500, 503, 507
)  # fmt: skip


@pytest.fixture(scope="module")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    """Start MLflow's own server; return its port."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(template, folder / "mlflow.db")
    with mlflow_server(folder) as port:
        yield port


@pytest.fixture
def proxy(server: int, monkeypatch: pytest.MonkeyPatch) -> Generator[FaultyProxy]:
    """Return a sound connection to the server, of a client that waits three seconds."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    with faulty_proxy(server) as proxy:
        yield proxy


def text(individuals: History) -> str:
    rows = [(one.number, one.birth.to_json(), one.outcome.to_json()) for one in individuals]
    return json.dumps(rows, sort_keys=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_mid_search_loses_and_doubles_nothing(proxy: FaultyProxy, fault: Fault) -> None:
    tracker = MlflowTracker(uri=proxy.uri, experiment=f"passing {fault}", models=False)
    mirror = tracker.start(search())
    individuals = long_history(12)
    for one in individuals[:4]:
        mirror.finished(one)
    proxy.harm(fault)
    for one in individuals[4:]:
        mirror.finished(one)
    proxy.heal()
    assert mirror.close((), LONG) == ""
    assert sorted(candidates(proxy.uri, tracker.experiment)) == list(range(12))
    assert len(parents(proxy.uri, tracker.experiment)) == 1
    assert text(history_from_mlflow(proxy.uri, tracker.experiment, "digits")) == text(individuals)


@pytest.mark.parametrize("fault", MANNERS)
def test_what_a_fault_keeps_out_is_told_in_a_line_and_comes_later(
    proxy: FaultyProxy, fault: Fault
) -> None:
    tracker = MlflowTracker(uri=proxy.uri, experiment=f"lasting {fault}", models=False)
    individuals = long_history(8)
    proxy.delay = 2.0
    proxy.fault = fault
    told = track(tracker, search(), individuals, (2, 5), timeout=1.0)
    assert told.startswith("8 of 8 candidates are not in MLflow")
    assert told.isprintable()
    proxy.heal()
    time.sleep(proxy.delay)  # what was under way may still arrive
    assert track(tracker, search(), individuals, (2, 5), LONG) == ""
    assert sorted(candidates(proxy.uri, tracker.experiment)) == list(range(8))
    assert text(history_from_mlflow(proxy.uri, tracker.experiment, "digits")) == text(individuals)
