"""How a candidate was pruned, and what it cost to rebuild it, can be read in MLflow."""

import json
import shutil
from pathlib import Path

import pytest
from histories import OBJECTIVES, seed_genome
from mlflow_reading import LONG, candidates, search
from pruned_histories import GHFP, GROUP, pruned_history

from evonas.genome import Birth
from evonas.genome.pruning import GENES, Kept, PruningGenes
from evonas.history import Cost, Evaluation, Individual
from evonas.lineage import family_tree, same
from evonas.tracking.from_mlflow import history_from_mlflow
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.record import record
from evonas.tracking.tracker import track


@pytest.fixture(scope="module")
def pruned(template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of a store that holds a search with pruning, to be read only."""
    path = tmp_path_factory.mktemp("pruned") / "mlflow.db"
    shutil.copy(template, path)
    uri = f"sqlite:///{path}"
    assert track(MlflowTracker(uri=uri), search(), pruned_history(), (0, 3), LONG) == ""
    return uri


def test_the_lineage_of_pruned_births_comes_back_from_mlflow(pruned: str) -> None:
    read = history_from_mlflow(pruned, "evonas", "digits")
    assert same(family_tree(read, OBJECTIVES), family_tree(pruned_history(), OBJECTIVES))


def test_the_schedule_is_among_the_parameters_and_so_is_what_it_kept(pruned: str) -> None:
    params = candidates(pruned)[3].data.params
    wanted = {
        "preset": "ghfp",
        "criterion": "l1",
        "rule.name": "soft",
        "rate.end": "1.0",
        "interval": "16",
        "removed": "4",
    }
    assert {name: params[f"pruning.{name}"] for name in wanted} == wanted
    assert json.loads(params["pruning.kept"]) == {GROUP: [4, 8]}


def test_the_errors_masked_and_rebuilt_are_metrics(pruned: str) -> None:
    metrics = candidates(pruned)[1].data.metrics
    assert (metrics["masked_error"], metrics["compact_error"]) == (0.30, 0.34)
    assert metrics["gap"] == pytest.approx(0.04)


def test_edits_of_pruning_are_told_in_the_tags(pruned: str) -> None:
    told = "prune (sfp): keeps 5 of 8 channels; compact: -3 channels"
    assert candidates(pruned)[1].data.tags["evonas.edits"] == told


def test_a_candidate_that_was_never_pruned_has_no_parameters_of_pruning(pruned: str) -> None:
    assert not [name for name in candidates(pruned)[0].data.params if name.startswith("pruning")]


def test_counts_that_are_longer_than_a_parameter_are_in_the_genome_alone() -> None:
    kept = {f"net/layer{at}.conv:0": Kept(1, 8) for at in range(500)}
    genes = PruningGenes(schedule=GHFP, kept=kept)
    seed = seed_genome()
    genome = genes.put_into(seed).with_edit(seed.edit("prune", GENES, genes=genes.to_json()))
    outcome = Evaluation({"error": 0.1, "macs": 1.0})
    written = record(Individual(0, Birth(genome, "seed", (), 1), outcome), None, Cost())
    assert "pruning.kept" not in written.params
    assert "layer499" in written.files["genome.json"]
