"""Searches that evolve cohorts: births of all kinds are evaluated, resumed and replayed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.cohort_search import COHORT

from evonas import api
from evonas.genome.cohort import COHORT_CROSS
from evonas.genome.members import members
from evonas.history import Evaluation
from evonas.store import JOURNAL

CONTROLLERS = ("eena", "nsga2")
BIRTHS = 24


def table(controller: str) -> dict[str, Any]:
    cohort = {"preset": {"name": "support.cohort_search:School", "peers": 2}, "max_nodes": 3}
    return {
        **COHORT,
        "births": BIRTHS,
        "cohort": cohort,
        "controller": {"name": controller, "population": 5},
    }


@pytest.fixture(scope="module", params=CONTROLLERS)
def controller(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def found(controller: str, tmp_path_factory: pytest.TempPathFactory) -> api.Found:
    """A search that came to its end."""
    return api.search(table(controller), out=tmp_path_factory.mktemp("run") / controller)


@pytest.mark.slow
def test_every_birth_can_be_trained(found: api.Found) -> None:
    outcomes = [one.outcome for one in found.history]
    assert [one for one in outcomes if not isinstance(one, Evaluation)] == []


@pytest.mark.slow
def test_cohorts_vary_and_members_keep_tensors_of_their_own(found: api.Found) -> None:
    cohorts = {str(one.birth.genome.chromosomes["cohort"]) for one in found.history}
    assert len(cohorts) > 5
    for one in found.history:
        state = found.member(one.number).state()
        assert all(state.part(name).tensors for name in members(one.birth.genome))


@pytest.mark.slow
def test_children_of_two_cohorts_have_both_parents(found: api.Found) -> None:
    crossed = [
        one.birth
        for one in found.history
        if one.birth.genome.edits and one.birth.genome.edits[-1].operator == COHORT_CROSS
    ]
    assert all(birth.operator == "crossover" and len(birth.parents) == 2 for birth in crossed)


@pytest.mark.slow
def test_the_youngest_is_made_again_from_its_ancestors(found: api.Found) -> None:
    again = found.replay(found.history[BIRTHS - 1].number)
    assert again.equal, again.text


@pytest.mark.slow
def test_a_search_that_was_interrupted_goes_on_as_if_it_had_not_been(
    found: api.Found, controller: str, tmp_path: Path
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(found.folder, folder)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join(lines[: len(lines) // 2]))
    again = api.search(table(controller), out=folder)
    births = [[one.birth.to_json() for one in search.history] for search in (found, again)]
    assert births[0] == births[1]
