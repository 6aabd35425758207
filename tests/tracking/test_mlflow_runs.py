"""A search can be read in MLflow: one run a candidate, with what it is and where it comes from."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from histories import history, seed_genome, widened
from mlflow_reading import CONFIG, LONG, candidates, parents, search, text_of, values

from evonas.genome import Birth, Genome
from evonas.history import Cost, Evaluation, Individual
from evonas.tracking.mlflow_store import database_file, open_client
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.tracker import track


@pytest.mark.parametrize(
    ("number", "tags"),
    [
        (0, {"operator": "seed", "parents": "[]", "weights": "a" * 64, "key": seed_genome().key}),
        (1, {"operator": "widen", "parents": "[0]", "edits": "widen net/conv"}),
        (1, {"key": widened(seed_genome()).key, "seed": "2"}),
        (4, {"failure": "timeout", "message": "no outcome after 5 s"}),
        (5, {"operator": "crossover", "parents": "[3, 1]", "front": "true"}),
        (5, {"cost": '{"samples": 1000, "macs": 420000.0, "seconds": 0.25}'}),
        (5, {"line_cost": '{"samples": 3000, "macs": 1020000.0, "seconds": 0.75}'}),
    ],
)
def test_a_run_is_tagged_with_where_its_candidate_comes_from(
    mirrored: str, number: int, tags: dict[str, str]
) -> None:
    found = candidates(mirrored)[number].data.tags
    assert {name: found.get(f"evonas.{name}") for name in tags} == tags


def test_credit_is_tagged_when_the_control_comes_after_the_child(mirrored: str) -> None:
    runs = candidates(mirrored)
    assert float(runs[1].data.tags["evonas.credit"]) == pytest.approx(0.05)
    assert "evonas.credit" not in runs[4].data.tags


def test_candidates_are_nested_in_the_run_of_their_search(mirrored: str) -> None:
    (parent,) = parents(mirrored)
    nested = {run.data.tags["mlflow.parentRunId"] for run in candidates(mirrored).values()}
    assert nested == {parent.info.run_id}


def test_a_run_ends_as_its_candidate_did(mirrored: str) -> None:
    status = {number: run.info.status for number, run in candidates(mirrored).items()}
    assert status == dict.fromkeys(range(8), "FINISHED") | {4: "FAILED"}


def test_parameters_are_the_settings_and_the_counts_of_layers(mirrored: str) -> None:
    params = candidates(mirrored)[3].data.params
    assert json.loads(params.pop("genome")) == history()[3].birth.genome.to_json()
    assert params == {
        "edits": "1",
        "net.layers": "7",
        **{f"net.{op}": "1" for op in ("input", "conv", "bn", "act", "gap", "linear", "output")},
        "settings.optimizer.lr": "0.05",
    }


def test_metrics_follow_the_training_and_end_in_the_final_value(mirrored: str) -> None:
    run = candidates(mirrored)[1]
    assert values(mirrored, run, "error") == [(1, 0.5), (2, 0.4), (2, 0.3)]
    assert run.data.metrics["error"] == 0.3
    assert run.data.metrics["line_cost.samples"] == 2000


def test_the_genome_is_an_artifact(mirrored: str) -> None:
    text = text_of(mirrored, candidates(mirrored)[5], "genome.json")
    assert Genome.from_json(json.loads(text)) == history()[5].birth.genome


def test_the_drawing_is_an_artifact(mirrored: str) -> None:
    drawing = ET.fromstring(text_of(mirrored, candidates(mirrored)[5], "net.svg"))
    assert drawing.tag.endswith("svg")


def test_the_search_has_its_question_and_its_progress(mirrored: str) -> None:
    (parent,) = parents(mirrored)
    assert parent.data.params == {
        "births": "8",
        "trainer.name": "supervised",
        "trainer.epochs": "2",
    }
    assert json.loads(text_of(mirrored, parent, "run.json")) == CONFIG
    best = [(0, 0.4), (1, 0.3), (2, 0.3), (3, 0.3), (5, 0.28), (7, 0.2)]
    assert sorted(values(mirrored, parent, "best.error")) == best
    assert (parent.info.status, parent.data.tags["evonas.front"]) == ("FINISHED", "[2, 5]")


def test_a_genome_over_the_limit_of_a_parameter_is_an_artifact_only(uri: str) -> None:
    genome = replace(seed_genome(), chromosomes={"notes": {"text": "x" * 7_000}})
    outcome = Evaluation({"error": 0.1, "macs": 1.0})
    birth = Birth(genome, "seed", (), 1)
    assert track(MlflowTracker(uri=uri), search(), [Individual(0, birth, outcome)], (), LONG) == ""
    run = candidates(uri)[0]
    assert "genome" not in run.data.params
    assert json.loads(text_of(uri, run, "genome.json")) == genome.to_json()


def test_a_curve_longer_than_a_batch_is_logged_whole(uri: str) -> None:
    curve = tuple((step, {"error": 1.0 / step}) for step in range(1, 1_801))
    outcome = Evaluation({"error": 0.1, "macs": 1.0}, Cost(), "", curve)
    birth = Birth(seed_genome(), "seed", (), 1)
    assert track(MlflowTracker(uri=uri), search(), [Individual(0, birth, outcome)], (), LONG) == ""
    assert len(values(uri, candidates(uri)[0], "error")) == 1_801


def test_names_that_mlflow_refuses_are_changed(uri: str) -> None:
    genome = replace(seed_genome(), settings={"lr (log)": 1, **{f"g{n}": n for n in range(120)}})
    outcome = Evaluation({"error": 0.1, "macs": 1.0, "top-5 %": 0.5})
    birth = Birth(genome, "seed", (), 1)
    assert track(MlflowTracker(uri=uri), search(), [Individual(0, birth, outcome)], (), LONG) == ""
    data = candidates(uri)[0].data
    assert (data.params["settings.lr _log_"], data.params["settings.g119"]) == ("1", "119")
    assert data.metrics["top-5 _"] == 0.5


@pytest.mark.parametrize(("runs", "numbers"), [("front", {2, 5}), ("none", set[int]())])
def test_only_the_chosen_candidates_get_runs(uri: str, runs: str, numbers: set[int]) -> None:
    tracker = MlflowTracker(uri=uri, runs=runs)  # pyright: ignore[reportArgumentType]
    assert track(tracker, search(), history(), (2, 5), LONG) == ""
    assert set(candidates(uri)) == numbers
    assert len(parents(uri)) == 1


def test_a_store_made_by_evonas_writes_ahead(template: Path) -> None:
    with closing(sqlite3.connect(template)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_store_that_was_there_keeps_its_mode(uri: str) -> None:
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        open_client(uri).search_experiments()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:///runs/mlflow.db", Path("runs/mlflow.db")),
        ("sqlite:////data/mlflow.db", Path("/data/mlflow.db")),
        ("sqlite:///file:mlflow.db?mode=ro&uri=true", None),
        ("http://127.0.0.1:5000/mlflow.db", None),
    ],
)
def test_the_file_of_a_store_is_read_from_its_uri(uri: str, path: Path | None) -> None:
    assert database_file(uri) == path
