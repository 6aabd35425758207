"""Searches for architecture, pruning and cohort at once, with the trainer that trains them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.gene_edits import pictures

from evonas import api, config, loop
from evonas.candidate import Evaluator
from evonas.errors import ConfigError
from evonas.executors.executor import Job
from evonas.genome import Birth
from evonas.genome.cohort import CANDIDATE, Cohort, Edge
from evonas.genome.cost import macs
from evonas.genome.members import members
from evonas.history import Evaluation, Failure
from evonas.morph.compact import COMPACT
from evonas.report.live import Silent
from evonas.setup import prepare
from evonas.store import JOURNAL, decisions

CONTROLLERS: Mapping[str, Any] = {
    "nsga2": {"name": "nsga2", "population": 5, "crossover_ratio": 0.5, "first_edits": 2},
    "random": {"name": "random", "max_edits": 4, "from_seed": False},
}


def table(data: str, **changes: Any) -> dict[str, Any]:
    return {
        "births": 14,
        "lookahead": 3,
        "durability": "flush",
        "objectives": {"error": "min", "macs": "min"},
        "space": {"name": "eena", "stem": 4, "width": 4, "last": 4, "blocks": 2},
        "trainer": {"name": "supervised", "data": data, "epochs": 1, "size": 8, "batch_size": 16},
        "cohort": {"preset": "kd", "max_nodes": 2},
        "pruning": {"presets": ["sfp", "hfp"], "target": {"macs": [0.4, 0.9]}},
        "controller": CONTROLLERS["nsga2"],
        "executor": "serial",
        "tracker": "none",
        **changes,
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return pictures(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=sorted(CONTROLLERS))
def found(
    request: pytest.FixtureRequest, data: str, tmp_path_factory: pytest.TempPathFactory
) -> api.Found:
    """A search that came to its end."""
    folder = tmp_path_factory.mktemp("search") / "run"
    return api.search(table(data, controller=CONTROLLERS[request.param]), out=folder)


def evaluated(found: api.Found) -> list[tuple[api.Member, Evaluation, Cohort]]:
    rows: list[tuple[api.Member, Evaluation, Cohort]] = []
    for one, outcome in found.history.evaluated():
        cohort = Cohort.of(one.birth.genome)
        assert cohort is not None
        rows.append((found.member(one.number), outcome, cohort))
    return rows


def test_hardly_a_candidate_fails_and_cohorts_differ(found: api.Found) -> None:
    rows = evaluated(found)
    assert len(rows) >= len(found.history) - 2
    assert len({cohort.key for _, _, cohort in rows}) > 2
    assert {
        edit.operator
        for member, _, _ in rows
        for edit in member.genome.edits
        if edit.operator.startswith("cohort-")
    }


def test_candidates_that_are_born_pruned_learn_in_their_cohort(found: api.Found) -> None:
    pruned = [row for row in evaluated(found) if row[0].genome.edits[-1:] and _is_pruned(row[0])]
    assert pruned
    for member, outcome, _ in pruned:
        small = macs(member.genome.architecture["net"])
        assert member.metrics["macs"] == small
        assert outcome.cost.macs > 3 * small * outcome.cost.samples
        assert any(name.startswith("cohort/") for name in outcome.curve[-1][1])


def _is_pruned(member: api.Member) -> bool:
    return member.genome.edits[-1].operator == COMPACT


def test_states_have_a_part_for_every_member_and_models_have_none(found: api.Found) -> None:
    for member, _, _ in evaluated(found):
        state = member.state()
        for name in members(member.genome):
            assert state.part(name).tensors
        assert member.model().state_dict().keys() == state.own.tensors.keys()


def test_a_candidate_made_again_has_the_same_weights(found: api.Found) -> None:
    again = found.replay(evaluated(found)[-1][0].number)
    assert again.equal, again.text


@pytest.mark.slow
def test_a_search_that_is_cut_continues_to_the_same_journal(found: api.Found) -> None:
    decided = decisions(found.folder)
    lines = (found.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    for length in range(2, len(lines), 9):
        (found.folder / JOURNAL).write_bytes(b"".join(lines[:length]))
        loop.search(found.run, found.folder, Silent())
        assert decisions(found.folder) == decided, f"cut after {length} lines"


@pytest.mark.slow
def test_processes_write_the_same_journal(found: api.Found, tmp_path: Path) -> None:
    again = {**found.run.config, "executor": {"name": "processes", "workers": 2}}
    loop.search(config.from_table(again, "run"), tmp_path, Silent())
    assert decisions(tmp_path) == decisions(found.folder)


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        (Edge(loss={"name": "kl"}, to="teacher:logits", source="candidate:logits"), "is frozen"),
        (Edge(loss={"name": "kl"}, to="candidate:s9", source="teacher:logits"), "no tap 's9'"),
        (Edge(loss={"name": "vcl"}, to="candidate:gap"), "samples of each of"),
    ],
)
def test_a_cohort_that_cannot_be_trained_is_infeasible(
    data: str, tmp_path: Path, edge: Edge, said: str
) -> None:
    run = config.from_table(table(data, trainer={**table(data)["trainer"], "batch_size": 4}), "run")
    (tmp_path / "weights").mkdir()
    seed = prepare(run, tmp_path).seed
    cohort = Cohort.of(seed)
    assert cohort is not None
    genome = replace(cohort, edges=(*cohort.edges, edge)).put_into(seed)
    outcome = Evaluator.of(run, tmp_path)(Job(1, Birth(genome, "x", (), 0), []), lambda _: None)
    assert isinstance(outcome, Failure)
    assert outcome.kind == "infeasible"
    assert said in outcome.message
    assert edge.name in outcome.message


def test_views_are_judged_and_measured_beside_the_candidate(data: str, tmp_path: Path) -> None:
    asked = table(
        data,
        births=3,
        space={"name": "depths", "stages": 2, "blocks": 2, "width": 4},
        cohort={"preset": "ddnn", "operators": []},
        objectives={"error": "min", "error@depth1": "min", "latency@depth1": "min"},
        limits={"macs@depth1": 1e9},
    )
    del asked["pruning"]
    found = api.search(asked, out=tmp_path / "run")
    assert (found.folder / "latency.json").exists()
    for member, _, cohort in evaluated(found):
        assert cohort.readout == (CANDIDATE, "depth1")
        assert member.metrics["macs@depth1"] < member.metrics["macs"]
        assert member.metrics["parameters@depth1"] < member.metrics["parameters"]
        assert member.metrics["latency@depth1"] > 0
        assert 0 <= member.metrics["error@depth1"] <= 1
        assert "latency" not in member.metrics


def test_a_limit_of_a_view_that_the_seed_breaks_is_refused(data: str, tmp_path: Path) -> None:
    asked = table(data, cohort={"preset": "ddnn"}, limits={"macs@depth1": 10})
    asked |= {"space": {"name": "depths", "stages": 2, "blocks": 2, "width": 4}}
    del asked["pruning"]
    with pytest.raises(ConfigError, match="the seed network is too large: macs@depth1"):
        api.search(asked, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
