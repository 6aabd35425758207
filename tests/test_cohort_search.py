"""Searches whose candidates learn in cohorts: teachers, costs, weights, resume, replay."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.cohort_search import COHORT

from evonas import api, store
from evonas.final_test import read_test
from evonas.genome.cohort import Cohort
from evonas.genome.cost import macs
from evonas.genome.members import members
from evonas.history import Evaluation
from evonas.replay import ancestors
from evonas.store import JOURNAL, decisions
from evonas.teachers import FILE, kept_teachers


def table(**changes: Any) -> dict[str, Any]:
    return {**COHORT, **changes}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> api.Found:
    """A search that came to its end."""
    return api.search(table(), out=tmp_path_factory.mktemp("run") / "school")


def evaluations(found: api.Found) -> list[tuple[api.Member, Evaluation]]:
    return [
        (found.member(one.number), outcome)
        for one, outcome in found.history.evaluated()
        if outcome.same_as is None
    ]


def test_every_candidate_carries_the_presets_cohort_and_its_members(found: api.Found) -> None:
    assert len(evaluations(found)) == 6
    for member, _ in evaluations(found):
        cohort = Cohort.of(member.genome)
        assert cohort is not None
        assert cohort.preset == "school"
        assert set(members(member.genome)) == {"peer0"}


def test_a_teacher_is_made_once_and_is_wider_than_the_seed(found: api.Found) -> None:
    (teacher,) = kept_teachers(found.folder).values()
    assert teacher.graph is not None
    hidden = {name: g.shapes for name, g in (("teacher", teacher.graph), ("seed", seed(found)))}
    widths = {name: max(shape[0] for shape in shapes.values()) for name, shapes in hidden.items()}
    assert widths == {"teacher": 8, "seed": 4}
    assert store.weights_path(found.folder, teacher.weights).exists()


def seed(found: api.Found):
    return found.member(0).genome.architecture["net"]


def test_the_whole_cohort_is_paid_for_and_the_candidate_alone_is_measured(
    found: api.Found,
) -> None:
    (teacher,) = kept_teachers(found.folder).values()
    assert teacher.graph is not None
    for member, outcome in evaluations(found):
        own = macs(member.genome.architecture["net"])
        others = macs(teacher.graph) + macs(members(member.genome)["peer0"])
        assert outcome.cost.macs == (3 * own + others) * outcome.cost.samples
        assert member.metrics["macs"] == own


def test_members_go_on_with_the_weights_of_the_parents_members(found: api.Found) -> None:
    children = [member for member, _ in evaluations(found) if member.individual.birth.parents]
    assert children
    for member in children:
        state = member.state()
        parent = found.member(member.individual.birth.parents[0]).state()
        assert state.part("peer0").tensors.keys() == parent.part("peer0").tensors.keys()
        assert "@peer0.head.weight" in state.slots["momentum_buffer"]


def test_a_trained_model_has_no_trace_of_its_cohort(found: api.Found, tmp_path: Path) -> None:
    member = found.best()
    assert any(name.startswith("@") for name in member.state().tensors)
    assert not any("peer" in name for name in member.model().state_dict())
    assert member.export(tmp_path / "student.safetensors")


def test_a_replay_makes_the_same_weights_again(found: api.Found) -> None:
    last = evaluations(found)[-1][0].number
    assert len(ancestors(found.history, last)) > 1
    again = found.replay(last)
    assert again.equal, again.text


def test_a_search_goes_on_with_the_teachers_it_has(found: api.Found, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(found.folder, folder)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join(lines[: len(lines) // 2]))
    made = (folder / FILE).stat().st_mtime_ns
    api.search(table(), out=folder)
    assert (folder / FILE).stat().st_mtime_ns == made
    assert decisions(folder) == decisions(found.folder)


@pytest.mark.slow
def test_processes_write_the_journal_of_a_serial_search(found: api.Found, tmp_path: Path) -> None:
    again = api.search(table(executor={"name": "processes", "workers": 2}), out=tmp_path / "run")
    assert decisions(again.folder) == decisions(found.folder)


def test_the_report_tests_the_best_trained_with_its_cohort_from_scratch(found: api.Found) -> None:
    assert found.report(test=True).exists()
    results = read_test(found.folder)
    assert set(results) == {"inherited", "from scratch"}


def test_a_fixed_cohort_may_be_searched_around_by_a_sampler_of_vectors(tmp_path: Path) -> None:
    found = api.search(table(controller="optuna", births=4), out=tmp_path / "run")
    assert all(Cohort.of(member.genome) for member, _ in evaluations(found))


def test_a_search_that_inherits_nothing_starts_members_afresh(tmp_path: Path) -> None:
    found = api.search(table(inherit=False, births=4), out=tmp_path / "run")
    assert len(evaluations(found)) == 4
