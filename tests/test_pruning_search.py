"""Searches that prune, end to end: what they find, and that the journal is their only state."""

from pathlib import Path
from typing import Any

import pytest
from support.pruning_search import PRUNING

from evonas import api, config, loop
from evonas.genome.pruning import PruningGenes
from evonas.morph.compact import COMPACT
from evonas.report.live import Silent
from evonas.store import JOURNAL, decisions

CONTROLLERS = {
    "eena": {"name": "eena", "population": 5, "controls": 1, "crossover_every": 3},
    "nsga2": {"name": "nsga2", "population": 5, "crossover_ratio": 0.5},
}


def searched(folder: Path, **changes: Any) -> api.Found:
    return api.search({**PRUNING, "name": "small", **changes}, out=folder)


@pytest.fixture(scope="module", params=CONTROLLERS)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> api.Found:
    """A search that came to its end."""
    folder = tmp_path_factory.mktemp("search") / "run"
    return searched(folder, controller=CONTROLLERS[request.param], births=24)


def born_pruned(found: api.Found) -> list[api.Member]:
    members = [found.member(one.number) for one, _ in found.history.evaluated()]
    return [one for one in members if "compact_error" in one.metrics]


def test_pruned_networks_meet_the_target_and_say_what_was_lost(found: api.Found) -> None:
    whole = found.member(0).metrics["parameters"]
    pruned = born_pruned(found)
    assert len(pruned) >= 3
    for one in pruned:
        assert one.genome.edits[-1].operator == COMPACT
        structural = {edit.operator for edit in one.genome.edits} & set(found.run.space.mutations())
        assert structural or one.metrics["parameters"] <= 0.7 * whole
        error, gap = one.metrics["compact_error"], one.metrics["gap"]
        assert one.metrics["error"] == error
        assert error - one.metrics["masked_error"] == pytest.approx(gap)
        assert sum(p.numel() for p in one.model().parameters()) == one.metrics["parameters"]


def test_pruned_ones_have_children_with_other_genes_from_the_same_start(found: api.Found) -> None:
    twice = [one for one in born_pruned(found) if len(one.individual.birth.parents) > 1]
    assert twice
    for one in twice:
        start, genes_of = one.individual.birth.parents[:2]
        assert found.history[genes_of].birth.parents[0] == start
        assert PruningGenes.of(one.genome) is not None


def test_a_pruned_candidate_made_again_has_the_same_weights(found: api.Found) -> None:
    again = found.replay(born_pruned(found)[-1].number)
    assert again.equal, again.text


@pytest.mark.slow
def test_a_search_that_prunes_and_is_cut_continues_to_the_same_journal(found: api.Found) -> None:
    decided = decisions(found.folder)
    lines = (found.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    for length in range(3, len(lines), 7):
        (found.folder / JOURNAL).write_bytes(b"".join(lines[:length]))
        loop.search(found.run, found.folder, Silent())
        assert decisions(found.folder) == decided, f"cut after {length} lines"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_prunes_alike(found: api.Found, tmp_path: Path, workers: int) -> None:
    table = {**found.run.config, "executor": {"name": "processes", "workers": workers}}
    loop.search(config.from_table(table, "small"), tmp_path, Silent())
    assert decisions(tmp_path) == decisions(found.folder)


def test_the_seed_of_a_search_that_prunes_may_break_the_limit_and_is_no_find(
    tmp_path: Path,
) -> None:
    pruning = {"preset": "support.pruning_search:Hard"}
    found = searched(tmp_path / "run", limits={"parameters": 90}, pruning=pruning, births=10)
    assert found.member(0).metrics["parameters"] > 90
    assert all(one.metrics["parameters"] <= 90 for one in found.front())
    assert all(one.metrics["parameters"] <= 90 for one in born_pruned(found))


def test_a_search_from_fresh_weights_prunes_too(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", inherit=False, births=6)
    assert born_pruned(found)
