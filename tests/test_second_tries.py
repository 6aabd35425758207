"""Bad nights: what candidates suffer once changes nothing but what was halved for it."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.tiny_search import TINY

from evonas import api
from evonas.errors import StoreError
from evonas.history import Evaluation, Individual, Outcome
from evonas.replay import ancestors
from evonas.store import decisions, read_journal


def searched(folder: Path, **changes: Any) -> api.Found:
    return api.search({**TINY, "name": "tiny", **changes}, out=folder)


def troubled(trouble: str, folder: Path) -> dict[str, str]:
    return {"name": "support.troubled:Troubled", "trouble": trouble, "folder": str(folder)}


def whole(outcome: Outcome) -> Outcome:
    assert isinstance(outcome, Evaluation), outcome
    return replace(outcome, parts=1, cost=replace(outcome.cost, seconds=0.0))


def halved(found: api.Found) -> list[Individual]:
    return [one for one, evaluation in found.history.evaluated() if evaluation.parts == 2]


def test_what_took_too_much_memory_is_trained_in_two_parts_and_the_search_goes_its_way(
    tmp_path: Path,
) -> None:
    calm = searched(tmp_path / "calm")
    found = searched(tmp_path / "run", trainer=troubled("whole", tmp_path))
    assert 1 <= len(halved(found)) < len(found.history) - 1
    for one, other in zip(found.history, calm.history, strict=True):
        assert one.birth.to_json() == other.birth.to_json()
        assert whole(one.outcome) == whole(other.outcome)


def test_a_candidate_of_a_line_with_batches_in_parts_is_made_again(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", trainer=troubled("whole", tmp_path))
    line = ancestors(found.history, max(one.number for one in halved(found)))
    assert found.replay(line[-1]).equal


def test_a_search_whose_weights_are_gone_for_a_while_comes_to_the_same_journal(
    tmp_path: Path,
) -> None:
    calm = searched(tmp_path / "calm")
    trainer = troubled("steal", tmp_path)
    with pytest.raises(StoreError, match=r"has no outcome: the weights [0-9a-f]+ are not in"):
        searched(tmp_path / "run", trainer=trainer)
    outcomes = read_journal(tmp_path / "run")[0].outcomes.values()
    assert all(isinstance(outcome, Evaluation) for outcome in outcomes)
    shutil.copytree(tmp_path / "stolen", tmp_path / "run" / "weights", dirs_exist_ok=True)
    found = searched(tmp_path / "run", trainer=trainer)
    assert decisions(found.folder) == decisions(calm.folder)


@pytest.mark.slow  # a worker process a candidate
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_are_killed_leave_the_journal_as_it_would_be(
    tmp_path: Path, workers: int
) -> None:
    calm = searched(tmp_path / "calm")
    executor = {"name": "processes", "workers": workers}
    found = searched(tmp_path / "run", trainer=troubled("die", tmp_path), executor=executor)
    assert list(tmp_path.glob("* died"))
    assert decisions(found.folder) == decisions(calm.folder)
