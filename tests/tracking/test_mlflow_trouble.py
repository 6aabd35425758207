"""MLflow may be down, and a search may be mirrored twice: nothing is lost, nothing is doubled."""

import resource
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from threading import Event, enumerate as running_threads

import pytest
from histories import history, long_history
from mlflow import MlflowClient
from mlflow_reading import LONG, candidates, parents, search, values

from evonas.errors import ConfigError
from evonas.history import Individual
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.mlflow_writer import Writer, pause_after
from evonas.tracking.tally import Tally
from evonas.tracking.tracker import track


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow ask an unreachable server once, not for minutes."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.mark.parametrize(
    "first", [history(0), history(1), history(4), history(8), [history()[0], history()[2]]]
)
def test_whatever_is_there_already_is_not_written_again(
    uri: str, first: Sequence[Individual]
) -> None:
    tracker = MlflowTracker(uri=uri)
    for individuals in (first, history(), history()):
        assert track(tracker, search(), individuals, (), LONG) == ""
    assert sorted(candidates(uri)) == list(range(8))
    assert len(parents(uri)) == 1


def test_the_progress_of_a_continued_search_is_one_curve(uri: str) -> None:
    for length in (3, 8):
        told = track(MlflowTracker(uri=uri), search(), history(length), (), LONG)
        assert told == ""
    steps = [step for step, _ in values(uri, parents(uri)[0], "best.error")]
    assert sorted(steps) == [0, 1, 2, 3, 5, 7]


def test_a_run_that_was_cut_short_is_completed(uri: str) -> None:
    assert track(MlflowTracker(uri=uri), search(), history(), (), LONG) == ""
    client, run = MlflowClient(uri), candidates(uri)[3]
    client.update_run(run.info.run_id, status="RUNNING")
    assert track(MlflowTracker(uri=uri), search(), history(), (), LONG) == ""
    again = candidates(uri)[3]
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert len(values(uri, again, "error")) == 3


def test_individuals_handed_in_twice_are_mirrored_once(uri: str) -> None:
    mirror = MlflowTracker(uri=uri).start(search())
    for individual in (*history(), *history()):
        mirror.finished(individual)
    assert mirror.close((), LONG) == ""
    assert sorted(candidates(uri)) == list(range(8))


def test_another_search_of_the_same_name_has_runs_of_its_own(uri: str) -> None:
    for individuals in (history(2), long_history(2)):
        assert track(MlflowTracker(uri=uri), search(), individuals, (), LONG) == ""
    assert len(parents(uri)) == 2


def test_the_front_is_marked_anew_when_it_has_changed(uri: str) -> None:
    for front in ((1,), (2, 5)):
        assert track(MlflowTracker(uri=uri), search(), history(), front, LONG) == ""
    marks = {n: run.data.tags.get("evonas.front") for n, run in candidates(uri).items()}
    assert {n for n, mark in marks.items() if mark == "true"} == {2, 5}


@pytest.mark.usefixtures("no_retries")
def test_a_server_that_is_down_is_told_at_the_end() -> None:
    tracker = MlflowTracker(uri="http://127.0.0.1:9")
    told = track(tracker, search(), history(), (2, 5), LONG)
    assert told.startswith("8 of 8 candidates are not in MLflow (MlflowException: ")
    assert told.endswith("; run `evonas track runs/digits`")


def test_a_store_that_cannot_be_written_is_told_at_the_end(uri: str) -> None:
    path = uri.removeprefix("sqlite:///")
    tracker = MlflowTracker(uri=f"sqlite:///file:{path}?mode=ro&uri=true")
    told = track(tracker, search(), history(), (2, 5), LONG)
    assert told.startswith("8 of 8 candidates are not in MLflow (")
    assert "readonly" in told


@pytest.mark.slow
def test_a_full_disk_is_told_and_what_is_missing_comes_later(uri: str) -> None:
    tracker, individuals = MlflowTracker(uri=uri), long_history(20)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = Path(uri.removeprefix("sqlite:///")).stat().st_size // 8
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, hard))
    try:
        told = track(tracker, search(), individuals, (), 20.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert "candidates are not in MLflow (MlflowException: " in told
    assert track(tracker, search(), individuals, (), LONG) == ""
    assert sorted(candidates(uri)) == list(range(20))


def test_what_failed_is_tried_again_while_nothing_new_comes(template: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.write_text("a file where a folder must be", encoding="utf-8")
    tally = Tally()
    writer = Writer(f"sqlite:///{store}/mlflow.db", "evonas", "all", search(), Event(), tally)
    writer.take(history()[0])
    writer.push()
    assert "NotADirectoryError" in tally.trouble or "FileExistsError" in tally.trouble
    store.unlink()
    store.mkdir()
    shutil.copy(template, store / "mlflow.db")
    assert writer.pause
    time.sleep(writer.pause)
    writer.push()
    assert tally.candidates == {0}


def test_pauses_grow_to_half_a_minute_while_a_server_is_away() -> None:
    assert [pause_after(failures) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_server_that_is_away_holds_nothing_but_numbers() -> None:
    individuals = list(long_history(300))
    writer = Writer("sqlite:////proc/none/mlflow.db", "evonas", "all", search(), Event(), Tally())
    for one in individuals[:150]:
        writer.take(one)
        writer.push()
    tracemalloc.start()
    for one in individuals[150:]:
        writer.take(one)
        writer.push()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 150 * 2_000


def test_an_interrupt_while_it_waits_leaves_the_thread_to_end() -> None:
    def interrupted(arrived: int, wanted: int) -> None:
        del arrived, wanted
        raise KeyboardInterrupt

    mirror = MlflowTracker(uri="http://127.0.0.1:9").start(search())
    for one in long_history(50):
        mirror.finished(one)
    with pytest.raises(KeyboardInterrupt):
        mirror.close((), LONG, interrupted)
    end = time.monotonic() + 60.0
    while any(thread.name == "evonas-mlflow" for thread in running_threads()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_search_does_not_wait_for_mlflow() -> None:
    individuals = list(long_history(300))
    mirror = MlflowTracker(uri="http://127.0.0.1:9").start(search())
    start = time.perf_counter()
    for individual in individuals:
        mirror.finished(individual)
    assert time.perf_counter() - start < 1.0
    told = mirror.close((), 0.1)
    assert time.perf_counter() - start < 3.0
    assert told.startswith("300 of 300 candidates are not in MLflow")


def test_tracking_later_fills_in_what_is_missing(template: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "store"
    blocked.write_text("a file where a folder must be", encoding="utf-8")
    tracker = MlflowTracker(uri=f"sqlite:///{blocked}/mlflow.db")
    assert "8 of 8 candidates" in track(tracker, search(), history(), (5,), LONG)
    blocked.unlink()
    blocked.mkdir()
    shutil.copy(template, blocked / "mlflow.db")
    assert track(tracker, search(), history(), (5,), LONG) == ""
    assert sorted(candidates(tracker.uri)) == list(range(8))


def test_a_search_without_a_seed_yet_has_nothing_to_mirror(uri: str) -> None:
    assert track(MlflowTracker(uri=uri), search(), [], (), LONG) == ""


def test_an_unknown_choice_of_runs_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'front'"):
        MlflowTracker(runs="fronts")  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
def test_mlflow_is_not_imported_before_a_mirror_starts() -> None:
    code = (
        "import sys, evonas.tracking.mlflow_tracker as m; m.MlflowTracker(); "
        "sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
