"""What is kept of a damaged journal, and how it is written anew."""

from pathlib import Path

import pytest
from support.small_record import birth, journal, recorded

from evonas import store
from evonas.store import JOURNAL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return recorded(tmp_path / "run")


def test_intact_lines_on_both_sides_of_damage_are_salvaged(folder: Path) -> None:
    lines = journal(folder).splitlines(keepends=True)
    lines[5] = b"x" + lines[5]  # the outcome of individual 2
    (folder / JOURNAL).write_bytes(b"".join(lines))
    found = store.salvage(folder)
    assert not found.is_whole
    assert found.damaged == {6: lines[5]}
    assert store.rewrite(folder, found, [birth(number) for number in range(5)]) == 0
    assert journal(folder) == b"".join(lines[:5] + lines[6:])
    assert (folder / store.DAMAGED).read_bytes() == b"line 6:\n" + lines[5]
    assert store.salvage(folder).is_whole


def test_a_birth_that_is_given_anew_is_written_where_it_stood(folder: Path) -> None:
    whole = journal(folder)
    lines = whole.splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join([*lines[:4], b"\n", *lines[5:]]))
    found = store.salvage(folder)
    assert sorted(found.births) == [0, 1, 3, 4]
    store.rewrite(folder, found, [birth(number) for number in range(5)])
    assert journal(folder) == whole


def test_lines_of_births_beyond_those_that_are_kept_are_set_aside(folder: Path) -> None:
    lines = journal(folder).splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join([*lines[:4], b"\0" * 99 + b"\n", *lines[5:]]))
    assert store.rewrite(folder, store.salvage(folder), [birth(0), birth(1)]) == 4
    assert journal(folder) == b"".join(lines[:4])
    aside = (folder / store.DAMAGED).read_bytes()
    assert all(line in aside for line in lines[5:])


def test_lines_in_any_order_are_put_back_into_one_that_can_be_read(folder: Path) -> None:
    record, _ = store.read_journal(folder)
    lines = journal(folder).splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join([*lines[::-1], lines[3]]))
    found = store.salvage(folder)
    assert list(found.damaged) == [len(lines) + 1]
    store.rewrite(folder, found, record.births)
    again, _ = store.read_journal(folder)
    assert (again.births, again.outcomes) == (record.births, record.outcomes)
