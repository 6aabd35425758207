"""With whom a candidate learned, and how that went, can be read in MLflow."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cohort_histories import HINT, KD, cohort_history, diagnosed
from histories import OBJECTIVES, history
from mlflow_reading import LONG, candidates, search, values

from evonas.genome.cohort import Edge
from evonas.history import Cost, Evaluation, History
from evonas.lineage import family_tree, same
from evonas.tracking.from_mlflow import history_from_mlflow
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.record import record
from evonas.tracking.tracker import track


@pytest.fixture(scope="module")
def taught(template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of a store that holds a search with cohorts, to be read only."""
    path = tmp_path_factory.mktemp("taught") / "mlflow.db"
    shutil.copy(template, path)
    uri = f"sqlite:///{path}"
    assert track(MlflowTracker(uri=uri), search(), cohort_history(), (2,), LONG) == ""
    return uri


def test_the_lineage_of_cohorts_comes_back_from_mlflow(taught: str) -> None:
    read = history_from_mlflow(taught, "evonas", "digits")
    assert same(family_tree(read, OBJECTIVES), family_tree(cohort_history(), OBJECTIVES))


def test_the_diagnosis_is_a_curve_of_every_edge(taught: str) -> None:
    run = candidates(taught)[1]
    name = "cohort/hint teacher:s1 to candidate:s1/gradient"
    assert values(taught, run, name) == [(1, 1e-5), (2, 1e-5), (3, 1e-5)]
    assert len(values(taught, candidates(taught)[2], "cohort/ensemble/entropy")) == 3
    assert len(values(taught, run, "cohort/diversity")) == 3


def test_every_metric_that_was_reported_arrives_under_its_own_name(taught: str) -> None:
    outcome = cohort_history()[2].outcome
    assert isinstance(outcome, Evaluation)
    assert outcome.curve[-1][1].keys() <= candidates(taught)[2].data.metrics.keys()


def test_a_cohort_can_be_looked_for_by_tags(taught: str) -> None:
    tags = candidates(taught)[2].data.tags
    assert [tags[f"evonas.cohort{part}"] for part in ("", ".edges", ".members")] == ["kd", "7", "1"]


def test_edits_of_cohorts_are_told_in_the_tags_as_in_the_lineage(taught: str) -> None:
    tree = family_tree(cohort_history(), OBJECTIVES)
    for number, run in candidates(taught).items():
        assert run.data.tags["evonas.edits"] == "; ".join(tree.nodes[number]["edits"])


def test_the_genes_are_parameters_and_of_the_members_only_their_size(taught: str) -> None:
    params = candidates(taught)[2].data.params
    assert params["cohort.nodes.peer.kind"] == "member"
    assert params["cohort.aggregators.ensemble.rule.name"] == "gate"
    assert len(json.loads(params["cohort.edges"])) == 7
    assert [name for name in params if name.startswith("members")] == ["members.peer.layers"]


def test_a_candidate_without_a_cohort_has_no_tags_of_one() -> None:
    written = record(history()[0], None, Cost())
    assert not [name for name in written.tags if name.startswith("evonas.cohort")]


def test_edges_with_very_long_names_stay_apart(template: Path, tmp_path: Path) -> None:
    shutil.copy(template, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    loss = {"name": f"{'a_package.' * 30}losses:Own"}
    edges = [replace(HINT, loss=loss), Edge(loss=loss, to="candidate:s2", source="teacher:s2")]
    cohort = replace(KD, edges=(*KD.edges, *edges))
    one = cohort_history()[0]
    one = replace(one, outcome=diagnosed(0.3, cohort, {edges[0].name: 0.25}))
    assert track(MlflowTracker(uri=uri), search(), History([one]), (), LONG) == ""
    metrics = candidates(uri)[0].data.metrics
    long = {name: value for name, value in metrics.items() if "a_package" in name}
    assert len(long) == 6
    assert sorted(value for name, value in long.items() if name.endswith("/gradient")) == [
        pytest.approx(0.2 / 3),
        0.25,
    ]
