"""The family tree can be rebuilt from MLflow alone."""

import json
from pathlib import Path

import pytest
from histories import OBJECTIVES, history, long_history
from mlflow import MlflowClient
from mlflow_reading import LONG, candidates, search

from evonas.errors import StoreError
from evonas.history import Evaluation, History, Individual
from evonas.lineage import family_tree, same
from evonas.tracking.from_mlflow import history_from_mlflow
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.tracker import track


def text(individuals: History) -> str:
    rows = [(one.number, one.birth.to_json(), one.outcome.to_json()) for one in individuals]
    return json.dumps(rows, sort_keys=True)


def test_the_lineage_from_mlflow_equals_the_one_from_the_journal(uri: str) -> None:
    assert track(MlflowTracker(uri=uri), search(), history(6), (), LONG) == ""
    read = history_from_mlflow(uri, "evonas", "digits")
    assert same(family_tree(read, OBJECTIVES), family_tree(history(6), OBJECTIVES))


def test_births_and_outcomes_come_back_exactly(uri: str) -> None:
    assert track(MlflowTracker(uri=uri), search(), history(6), (), LONG) == ""
    assert text(history_from_mlflow(uri, "evonas", "digits")) == text(history(6))


def test_what_no_journal_can_hold_is_not_read_from_mlflow_either(mirrored: str) -> None:
    with pytest.raises(StoreError, match="NaN is no number"):
        history_from_mlflow(mirrored, "evonas", "digits")


def test_the_newest_search_of_a_name_is_read(uri: str) -> None:
    searches = (("it's", history(8)), ("it's", long_history(3)), ("other", history(1)))
    for name, individuals in searches:
        assert track(MlflowTracker(uri=uri), search(name=name), individuals, (), LONG) == ""
    assert len(history_from_mlflow(uri, "evonas", "it's")) == 3


@pytest.mark.parametrize(
    ("experiment", "name", "message"),
    [
        ("nowhere", "digits", "no experiment 'nowhere'"),
        ("evonas", "letters", "no search 'letters'"),
    ],
)
def test_a_search_that_is_not_there_is_named(
    mirrored: str, experiment: str, name: str, message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        history_from_mlflow(mirrored, experiment, name)


def test_a_store_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no MLflow store"):
        history_from_mlflow(f"sqlite:///{tmp_path}/none.db", "evonas", "digits")
    assert not list(tmp_path.iterdir())


def test_a_gap_is_named(uri: str) -> None:
    assert track(MlflowTracker(uri=uri), search(), history(4), (), LONG) == ""
    MlflowClient(uri).delete_run(candidates(uri)[2].info.run_id)
    with pytest.raises(StoreError, match="lacks 1 candidates of 'digits', the first is 2"):
        history_from_mlflow(uri, "evonas", "digits")


def test_a_run_whose_outcome_is_an_artifact_is_read(uri: str) -> None:
    assert track(MlflowTracker(uri=uri), search(), history(3), (), LONG) == ""
    client = MlflowClient(uri)
    for number, run in candidates(uri).items():
        client.delete_tag(run.info.run_id, "evonas.outcome")
        outcome = json.dumps(history()[number].outcome.to_json())
        client.log_text(run.info.run_id, outcome, "outcome.json")
    assert text(history_from_mlflow(uri, "evonas", "digits")) == text(history(3))


def test_an_outcome_too_long_for_a_tag_comes_back(uri: str) -> None:
    curve = tuple((step, {"error": 1.0 / step}) for step in range(1, 500))
    seed = history()[0]
    long = History(
        [Individual(0, seed.birth, Evaluation({"error": 0.1, "macs": 1.0}, curve=curve))]
    )
    assert track(MlflowTracker(uri=uri), search(), long, (), LONG) == ""
    assert text(history_from_mlflow(uri, "evonas", "digits")) == text(long)


def test_a_run_that_was_tampered_with_is_named(uri: str) -> None:
    assert track(MlflowTracker(uri=uri), search(), history(2), (), LONG) == ""
    run_id = candidates(uri)[1].info.run_id
    MlflowClient(uri).set_tag(run_id, "evonas.outcome", "{}")
    with pytest.raises(StoreError, match=f"run '{run_id}' in MLflow"):
        history_from_mlflow(uri, "evonas", "digits")


def test_a_server_that_is_away_is_told_in_a_line() -> None:
    with pytest.raises(StoreError, match=r"cannot be read from 'http://127\.0\.0\.1:9'") as error:
        history_from_mlflow("http://127.0.0.1:9", "evonas", "digits")
    assert str(error.value).isprintable()
