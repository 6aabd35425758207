"""The two orders of a search, with simulated workers whose candidates overtake each other."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from stub_search import STUB

from evonas import api
from evonas.errors import ConfigError
from evonas.history import History
from evonas.store import JOURNAL

LOOKAHEAD, BIRTHS = 4, 40


def searched(folder: Path, order: str = "finish", **changes: Any) -> api.Found:
    """Search with more workers than births may be in flight."""
    executor = {"name": "simulated_workers:SimulatedWorkers", "workers": 2 * LOOKAHEAD}
    table = {"order": order, "lookahead": LOOKAHEAD, "births": BIRTHS, "executor": executor}
    return api.search({**STUB, **table, **changes}, out=folder)


def lines(found: api.Found) -> list[dict[str, Any]]:
    text = (found.folder / JOURNAL).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def came(found: api.Found) -> list[int]:
    """Return the numbers of the outcomes as they came."""
    return [line["number"] for line in lines(found) if "outcome" in line]


def history_of(found: api.Found) -> list[int]:
    return [one.number for one in found.history]


def is_outcome_of(line: Mapping[str, Any], *numbers: int) -> bool:
    return "outcome" in line and line["number"] in numbers


def is_parents_first(history: History) -> bool:
    return all(
        history.until(place).has(parent)
        for place, one in enumerate(history)
        for parent in one.birth.parents
    )


def test_in_the_order_of_finishing_the_history_is_as_the_outcomes_came(tmp_path: Path) -> None:
    found = searched(tmp_path / "run")
    assert history_of(found) == came(found) != list(range(BIRTHS))


def test_in_the_order_of_births_the_history_is_by_number_whatever_came_first(
    tmp_path: Path,
) -> None:
    found = searched(tmp_path / "run", "birth")
    assert history_of(found) == list(range(BIRTHS)) != came(found)


def test_in_the_order_of_finishing_a_birth_is_shown_all_that_is_finished(tmp_path: Path) -> None:
    num_finished = 0
    for line in lines(searched(tmp_path / "run")):
        if "outcome" in line:
            num_finished += 1
        elif line["number"]:
            assert line["birth"]["notes"]["shown"] == num_finished


@pytest.mark.parametrize("order", ["birth", "finish"])
def test_no_more_births_are_in_flight_than_the_look_ahead(tmp_path: Path, order: str) -> None:
    in_flight = [0]
    for line in lines(searched(tmp_path / "run", order)):
        in_flight.append(in_flight[-1] + (-1 if "outcome" in line else 1))
    assert max(in_flight) == LOOKAHEAD


def test_in_the_order_of_finishing_every_outcome_lets_another_be_born(tmp_path: Path) -> None:
    kinds = ["outcome" in line for line in lines(searched(tmp_path / "run"))]
    last = len(kinds) - kinds[::-1].index(False) - 1
    steady = kinds[1 + LOOKAHEAD + 1 : last + 1]
    assert steady == [True, False] * (len(steady) // 2)


@pytest.mark.parametrize("length", range(1, 2 * BIRTHS, 7))
def test_a_search_in_the_order_of_finishing_goes_on_from_any_line(
    tmp_path: Path, length: int
) -> None:
    found = searched(tmp_path / "run")
    rows = (found.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (found.folder / JOURNAL).write_bytes(b"".join(rows[:length]))
    again = searched(tmp_path / "run")
    now = (again.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    assert now[:length] == rows[:length]
    assert history_of(again) == came(again)
    assert sorted(came(again)) == list(range(BIRTHS))


def test_a_search_whose_lines_are_lost_in_the_middle_is_completed(tmp_path: Path) -> None:
    found = searched(tmp_path / "run")
    rows = (found.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    lost = {place for place, line in enumerate(lines(found)) if is_outcome_of(line, 3, 9)}
    kept = [row for place, row in enumerate(rows) if place not in lost]
    (found.folder / JOURNAL).write_bytes(b"".join(kept))
    again = searched(tmp_path / "run")
    assert sorted(history_of(again)) == list(range(BIRTHS))
    assert is_parents_first(again.history)


def test_the_last_training_waits_for_all_in_either_order(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", final={"members": 1})
    operators = [one.birth.operator for one in found.history]
    assert operators.index("final") == BIRTHS


def test_the_order_belongs_to_the_question(tmp_path: Path) -> None:
    searched(tmp_path / "run")
    with pytest.raises(ConfigError, match="holds a search with order = 'finish'"):
        searched(tmp_path / "run", "birth")


def test_a_candidate_that_is_in_flight_is_none_to_look_at(tmp_path: Path) -> None:
    found = searched(tmp_path / "run")
    with pytest.raises(ConfigError, match=f"there is no candidate {BIRTHS}"):
        found.member(BIRTHS)


def test_the_report_and_the_lineage_tell_a_search_in_the_order_of_finishing(
    tmp_path: Path,
) -> None:
    found = searched(tmp_path / "run")
    assert sorted(found.lineage()) == list(range(BIRTHS))
    assert f"#{found.best().number}" in found.report().read_text(encoding="utf-8")


def test_parents_stand_before_their_children_in_the_order_of_finishing(tmp_path: Path) -> None:
    assert is_parents_first(searched(tmp_path / "run").history)
