"""Journals in which any value may be any other: a reader says so, and never breaks."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.cohort_histories import cohort_history
from support.hostile import sealed
from support.pruned_histories import pruned_history
from support.tiny_search import TINY

from evonas import config
from evonas.api import Found
from evonas.errors import EvonasError
from evonas.history import History
from evonas.report.family_tree import to_graphml, tree_text
from evonas.report.terminal import front_table
from evonas.seeds import Rng, stream
from evonas.store import JOURNAL, Store

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 10**30, 0.5, -1e300, "", "a", "os:system", "../x"),
    *("<script>", "\x1b[2J", [], {}, [[]], [0], ["a", "b"], {"a": 0}, {"name": "os:system"}),
)
"""What any value may become; it may also go, or come twice."""


def lines_of(history: History, folder: Path) -> list[dict[str, Any]]:
    """Return the journal of a history."""
    store = Store(folder, "flush")
    for one in history:
        store.birth(one.number, one.birth)
        store.outcome(one.number, one.outcome, 1.0)
    store.close()
    lines = [json.loads(line) for line in (folder / JOURNAL).read_bytes().splitlines()]
    for line in lines:
        del line["crc"]
    return lines


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place inside a JSON value: the object or list, and the key or index."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def mutated(lines: list[dict[str, Any]], rng: Rng) -> list[dict[str, Any]]:
    """Return the lines with one value somewhere changed."""
    lines = copy.deepcopy(lines)
    every = list(places(lines[int(rng.integers(len(lines)))]))
    inside, key = every[int(rng.integers(len(every)))]
    match int(rng.integers(8)):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, list):
            inside.append(inside[key])
        case _:
            inside[key] = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])
    return lines


@pytest.mark.parametrize("part", range(16))
@pytest.mark.parametrize("history", [cohort_history, pruned_history], ids=["cohort", "pruned"])
def test_whatever_a_value_becomes_it_is_shown_or_refused(
    history: Any, part: int, tmp_path: Path
) -> None:
    run = config.from_table(TINY, "mutated")
    lines = lines_of(history(), tmp_path)
    rng = stream(0, "mutated", part)
    for _ in range(10):
        changed = mutated(lines, rng)
        text = b"".join(sealed(json.dumps(line, separators=(",", ":"))) for line in changed)
        (tmp_path / JOURNAL).write_bytes(text)
        found = Found(tmp_path, run, is_trusted=False)
        with suppress(EvonasError):
            members, tree = found.front(), found.lineage()
            with found.blaming():
                text = tree_text(tree)
                _ = front_table(members, run.objectives, run.genes)
                to_graphml(tree, tmp_path / "tree.graphml")
            assert "\x1b" not in text
            page = found.report().read_text(encoding="utf-8")
            assert "<script>" not in page.partition("<main>")[2].partition("</main>")[0]


@pytest.mark.parametrize("history", [cohort_history, pruned_history], ids=["cohort", "pruned"])
def test_the_journals_of_these_tests_are_shown_as_they_are(history: Any, tmp_path: Path) -> None:
    _ = lines_of(history(), tmp_path)
    found = Found(tmp_path, config.from_table(TINY, "mutated"), is_trusted=False)
    assert (len(found.front()) > 0, len(found.lineage())) == (True, len(history()))
