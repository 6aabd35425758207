"""No genome is trained a third time after it has failed twice."""

from pathlib import Path
from typing import Any

import pytest
from support.tiny_search import TINY

from evonas import api
from evonas.errors import EvonasError
from evonas.history import Evaluation, Failure
from evonas.store import decisions

TABLE: dict[str, Any] = {
    **TINY,
    "name": "stubborn",
    "births": 8,
    "lookahead": 1,
    "controller": {"name": "support.stubborn:Stubborn"},
    "trainer": "support.stubborn:OnlySeed",
    "genes": {},
}


def test_what_has_failed_twice_fails_without_training_if_nothing_else_is_proposed(
    tmp_path: Path,
) -> None:
    found = api.search({**TABLE, "births": 5}, out=tmp_path / "run")
    outcomes = [one.outcome for one in found.history][1:]
    assert [outcome.kind for outcome in outcomes if isinstance(outcome, Failure)] == [
        *["diverged"] * 2,
        *["infeasible"] * 2,
    ]
    refused = outcomes[-1]
    assert isinstance(refused, Failure)
    assert refused.message == "this genome has failed 2 times: #1 diverged, #2 diverged"
    assert not refused.curve


def test_what_has_failed_twice_is_proposed_anew(tmp_path: Path) -> None:
    controller = {**TABLE["controller"], "repeats": 0.5}
    found = api.search({**TABLE, "controller": controller}, out=tmp_path / "run")
    operators = [one.birth.operator for one in found.history]
    assert operators.count("widen") == 2
    assert all(
        isinstance(one.outcome, Evaluation)
        for one in found.history
        if one.birth.operator == "again"
    )


def test_refusals_are_the_same_for_a_search_that_was_broken_off(tmp_path: Path) -> None:
    table = {**TABLE, "lookahead": 3, "max_failures": 100}
    whole = api.search(table, out=tmp_path / "whole")
    with pytest.raises(EvonasError, match="5 candidates in a row failed"):
        api.search({**table, "max_failures": 5}, out=tmp_path / "broken")
    again = api.search(table, out=tmp_path / "broken")
    assert decisions(again.folder) == decisions(whole.folder)
    kinds = [one.outcome.kind for one in again.history if isinstance(one.outcome, Failure)]
    assert kinds == [*["diverged"] * 4, *["infeasible"] * 3]
