"""Births with pruning genes: trained wide, judged small, closed, refused, replayed, resumed."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.gene_edits import genes_for, pictures, table, with_genes
from support.tiny_search import Tiny

from evonas import api, config, seeds, store
from evonas.candidate import Evaluator
from evonas.config import Run
from evonas.errors import ConfigError
from evonas.executors.executor import Job
from evonas.genome import Birth, Genome
from evonas.genome.cost import macs, parameters
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Schedule
from evonas.history import Evaluation, Failure, Limit, Outcome
from evonas.morph.compact import COMPACT, closed
from evonas.morph.keep import fitted
from evonas.setup import prepare
from evonas.store import JOURNAL, decisions
from evonas.trial import check_prunes

LAYERS = ("stem", "block1", "block2", "last")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return pictures(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def found(data: str, tmp_path_factory: pytest.TempPathFactory) -> api.Found:
    """A search that came to its end."""
    return api.search(table(data), out=tmp_path_factory.mktemp("run") / "halving")


def pruned(found: api.Found) -> list[api.Member]:
    """Return the members that were born pruned."""
    return [
        found.member(one.number)
        for one, evaluation in found.history.evaluated()
        if one.birth.operator == "halve" and evaluation.same_as is None
    ]


def test_pruned_births_are_closed_by_the_loop(found: api.Found) -> None:
    members = pruned(found)
    assert members
    for member in members:
        genome = member.individual.birth.genome
        genes = PruningGenes.of(genome)
        assert [edit.operator for edit in genome.edits][-2:] == ["halve", COMPACT]
        assert genes is not None
        assert not genes.kept


def test_every_measure_is_that_of_the_small_network(found: api.Found) -> None:
    for member in pruned(found):
        (graph,) = member.individual.birth.genome.architecture.values()
        assert member.metrics["macs"] == macs(graph)
        assert member.metrics["parameters"] == parameters(graph)
        assert sum(p.numel() for p in member.model().parameters()) == parameters(graph)


def test_the_training_of_the_wide_network_is_what_is_paid_for(found: api.Found) -> None:
    for member in pruned(found):
        one = member.individual
        (wide,) = found.history[one.birth.parents[0]].birth.genome.architecture.values()
        assert isinstance(one.outcome, Evaluation)
        assert one.outcome.cost.macs == 3 * macs(wide) * one.outcome.cost.samples


def test_the_journal_carries_masked_and_rebuilt_error_and_their_gap(found: api.Found) -> None:
    for member in pruned(found):
        metrics = member.metrics
        assert metrics["compact_error"] == metrics["error"]
        assert metrics["gap"] == metrics["compact_error"] - metrics["masked_error"]


def test_no_filter_of_what_is_kept_is_zero(found: api.Found) -> None:
    for member in pruned(found):
        for parameter in member.model().parameters():
            assert parameter.ndim < 2 or parameter.flatten(1).any(1).all()


def test_a_replay_makes_the_same_weights_again(found: api.Found) -> None:
    again = found.replay(pruned(found)[-1].individual.number)
    assert again.equal, again.text


def test_a_search_goes_on_as_if_it_had_not_been_stopped(
    found: api.Found, tmp_path: Path, data: str
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(found.folder, folder)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join(lines[: len(lines) // 2]))
    api.search(table(data), out=folder)
    assert decisions(folder) == decisions(found.folder)


def test_report_test_data_and_exports_know_the_small_network(
    found: api.Found, tmp_path: Path
) -> None:
    member = pruned(found)[0]
    inside = {"macs": member.metrics["macs"]}
    assert found.best(inside).metrics["macs"] <= inside["macs"]
    assert found.report(tmp_path / "report.html", test=True).exists()
    assert member.export(tmp_path / "model.safetensors")


def job(run: Run, folder: Path, genome: Genome, number: int = 1) -> Outcome:
    """Evaluate a genome that has no parents."""
    birth = Birth(genome, "halve", (), seeds.integer(0, "train"))
    return Evaluator.of(run, folder)(Job(number, birth), lambda _: None)


@pytest.fixture
def prepared(data: str, tmp_path: Path) -> Callable[..., tuple[Run, Genome]]:
    """A function that prepares a run in `tmp_path`; returns it with its seed genome."""

    def make(**changes: Any) -> tuple[Run, Genome]:
        run = config.from_table({**_plain(table(data)), **changes}, "halving")
        (tmp_path / "weights").mkdir()
        return run, prepare(run, tmp_path).seed

    return make


def _plain(full: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in full.items() if key != "name"}


def test_a_pruned_birth_may_start_from_fresh_weights(
    prepared: Callable[..., tuple[Run, Genome]], tmp_path: Path
) -> None:
    run, seed = prepared(inherit=False)
    child = closed(with_genes(seed, genes_for("filter", **{"net/stem.conv:0": (1, 4)})))
    outcome = job(run, tmp_path, child)
    assert isinstance(outcome, Evaluation)
    assert outcome.metrics["macs"] == macs(child.architecture["net"])
    weight = store.load_state(tmp_path, outcome.weights).tensors["stem.conv.weight"]
    assert weight.shape[0] == 1


def test_counts_below_one_are_refused_before_training(
    prepared: Callable[..., tuple[Run, Genome]], tmp_path: Path
) -> None:
    run, seed = prepared()
    child = with_genes(seed, genes_for("filter", **{"net/stem.conv:0": (0, 4)}))
    outcome = job(run, tmp_path, child)
    assert isinstance(outcome, Failure)
    assert outcome.kind == "infeasible"
    assert "keeps 0 of 4" in outcome.message
    assert outcome.cost.samples == 0


def test_single_weights_are_counted_apart_from_macs(
    prepared: Callable[..., tuple[Run, Genome]], tmp_path: Path
) -> None:
    run, seed = prepared()
    sizes = fitted(seed, genes_for("weight"))
    genes = PruningGenes(
        schedule=Schedule(granularity="weight", rule={"name": "support.smallest_weights:Smallest"}),
        kept={name: Kept(width // 4, width) for name, (_, width) in sizes.items()},
    )
    outcome = job(run, tmp_path, with_genes(seed, genes))
    assert isinstance(outcome, Evaluation)
    state = store.load_state(tmp_path, outcome.weights)
    weights = [state.tensors[f"{name}.conv.weight"] for name in LAYERS]
    share = sum(int((weight != 0).sum()) for weight in weights) / sum(map(torch.numel, weights))
    assert outcome.metrics["density"] == pytest.approx(share)
    assert outcome.metrics["density"] == pytest.approx(0.25, abs=0.01)
    assert outcome.metrics["macs"] == macs(seed.architecture["net"])
    assert 0.2 < outcome.metrics["sparse_macs"] / outcome.metrics["macs"] < 0.3


@pytest.mark.parametrize("number", [0, 1])
def test_only_the_seed_of_a_search_that_prunes_may_break_a_limit(
    prepared: Callable[..., tuple[Run, Genome]], tmp_path: Path, number: int
) -> None:
    run, seed = prepared(pruning={"presets": ["sfp"]})
    limited = replace(run, limits=[Limit("macs", 10.0)])
    outcome = job(limited, tmp_path, seed, number)
    assert isinstance(outcome, Evaluation if number == 0 else Failure)
    assert isinstance(job(replace(limited, pruning=None), tmp_path, seed, number), Failure)


def test_a_trainer_that_does_not_prune_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not prune"):
        check_prunes(Tiny())
