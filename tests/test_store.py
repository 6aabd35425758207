"""The record on disk: what a crash may leave, and what is read back."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.small_record import OUTCOMES, birth, journal, recorded

from evonas import store
from evonas.errors import StoreError
from evonas.history import Cost, Evaluation
from evonas.state import State
from evonas.store import JOURNAL, Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return recorded(tmp_path / "run")


def test_everything_that_was_written_is_read_back(folder: Path) -> None:
    record, length = store.read_journal(folder)
    assert record.births == [birth(number) for number in range(5)]
    assert record.outcomes == dict(enumerate(OUTCOMES))
    assert record.elapsed == 30.0
    assert length == len(journal(folder))
    assert len(record.history()) == 4


def test_a_folder_without_a_journal_is_an_empty_record(tmp_path: Path) -> None:
    record, length = store.read_journal(tmp_path)
    assert (record.births, record.outcomes, length) == ([], {}, 0)


def test_the_history_ends_before_the_first_birth_in_flight(tmp_path: Path) -> None:
    opened = Store(tmp_path, "flush")
    for number in range(3):
        opened.birth(number, birth(number))
    opened.outcome(0, OUTCOMES[0], 1.0)
    opened.outcome(2, OUTCOMES[2], 2.0)
    opened.close()
    record, _ = store.read_journal(tmp_path)
    assert [one.number for one in record.history()] == [0]
    assert sorted(record.outcomes) == [0, 2]


@pytest.mark.parametrize("durability", ["fsync", "flush"])
def test_every_line_is_on_the_disk_when_the_call_returns(
    tmp_path: Path, durability: store.Durability
) -> None:
    opened = Store(tmp_path, durability)
    opened.birth(0, birth(0))
    assert journal(tmp_path).count(b"\n") == 1
    opened.close()


def test_a_journal_cut_at_any_byte_of_its_last_two_lines_is_continued_cleanly(folder: Path) -> None:
    whole = journal(folder)
    lines = whole.splitlines(keepends=True)
    start = sum(map(len, lines[:-2]))
    for cut in range(start, len(whole)):
        (folder / JOURNAL).write_bytes(whole[:cut])
        opened = Store(folder, "flush")
        num_kept = len(lines) - 2 + (cut >= start + len(lines[-2]))
        assert len(opened.record.births) + len(opened.record.outcomes) == num_kept
        if num_kept == len(lines) - 2:
            opened.outcome(3, OUTCOMES[3], 30.0)
        opened.birth(4, birth(4))
        opened.close()
        assert journal(folder) == whole, f"cut at byte {cut}"


@pytest.mark.parametrize("line", [1, 4, 8])
@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw.replace(b'"number":', b'"numbex":', 1),
        lambda raw: raw[: len(raw) // 2] + b"\n",
        lambda _: b"\n",
        lambda raw: raw.replace(b"0", b"1", 1),
        lambda _: b"\xff\xfe\n",
        lambda raw: raw.replace(b"\n", b"\r\n"),
    ],
    ids=["renamed", "torn", "empty", "flipped", "binary", "carriage return"],
)
def test_a_damaged_line_before_the_last_is_named_by_its_number(
    folder: Path, line: int, damage: Callable[[bytes], bytes]
) -> None:
    lines = journal(folder).splitlines(keepends=True)
    lines[line - 1] = damage(lines[line - 1])
    (folder / JOURNAL).write_bytes(b"".join(lines))
    with pytest.raises(StoreError) as caught:
        store.read_journal(folder)
    assert f"line {line} of" in str(caught.value)
    assert f"evonas repair {folder}" in str(caught.value)


def test_a_damaged_journal_is_left_as_it_is(folder: Path) -> None:
    damaged = b"x" + journal(folder)
    (folder / JOURNAL).write_bytes(damaged)
    with pytest.raises(StoreError):
        Store(folder)
    assert journal(folder) == damaged


def test_a_line_out_of_order_is_damage_too(folder: Path) -> None:
    lines = journal(folder).splitlines(keepends=True)
    del lines[2]  # the birth of individual 1
    (folder / JOURNAL).write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match=r"line [34] of"):
        store.read_journal(folder)


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot write to"):
        Store(tmp_path / "file" / "run")


def test_a_number_that_is_not_finite_is_never_written(tmp_path: Path) -> None:
    opened = Store(tmp_path, "flush")
    opened.birth(0, birth(0))
    before = journal(tmp_path)
    with closing(opened), pytest.raises(ValueError, match="JSON"):
        opened.outcome(0, Evaluation({"error": float("nan")}), 1.0)
    assert journal(tmp_path) == before


@pytest.mark.parametrize("change", [{"seed": -1}, {"operator": "\udcff"}, {"parents": (7,)}])
def test_a_birth_that_could_not_be_read_back_is_never_written(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    with closing(Store(tmp_path, "flush")) as opened:
        opened.birth(0, birth(0))
        with pytest.raises(StoreError, match="#1 cannot be recorded"):
            opened.birth(1, replace(birth(1), **change))
    assert store.read_journal(tmp_path)[0].births == [birth(0)]


def test_clock_times_are_kept_apart_from_what_decides(folder: Path) -> None:
    slow = folder.parent / "slow"
    opened = Store(slow, "flush")
    opened.birth(0, birth(0))
    for number, outcome in enumerate(OUTCOMES[1:], start=1):
        opened.birth(number, birth(number))
        opened.outcome(number, outcome, elapsed=999.0)
    opened.outcome(
        0, Evaluation({"error": 0.1 + 0.2, "macs": 1e20}, Cost(10, 3e4, 99.0), "ab" * 32), 0
    )
    opened.birth(4, birth(4))
    opened.close()
    assert store.decisions(slow) == store.decisions(folder)


def test_a_line_is_json_that_a_person_can_read(folder: Path) -> None:
    first = json.loads(journal(folder).splitlines()[0])
    assert first["number"] == 0
    assert first["birth"]["operator"] == "settings"
    assert first["birth"]["key"] == birth(0).genome.key


def test_equal_weights_are_one_file_and_others_another(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    first = State({"a": torch.ones(3), "b": torch.zeros(2)}, {"momentum": {"a": torch.ones(3)}})
    again = State({"b": torch.zeros(2), "a": torch.ones(3)}, {"momentum": {"a": torch.ones(3)}})
    other = State({"a": torch.ones(3), "b": torch.zeros(2)})
    names = [store.store_state(tmp_path, state) for state in (first, again, other)]
    assert names[0] == names[1] != names[2]
    assert len(list((tmp_path / "weights").iterdir())) == 2
    read = store.load_state(tmp_path, names[0])
    assert torch.equal(read.tensors["a"], torch.ones(3))
    assert torch.equal(read.slots["momentum"]["a"], torch.ones(3))


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"the weights 0123456789ab are not in .* --retrain"):
        store.load_state(tmp_path, "0123456789abcdef")


def test_prepared_tensors_come_back_and_change_with_their_file(tmp_path: Path) -> None:
    assert store.load_prepared(tmp_path) is None
    for value in (1, 2):
        (tmp_path / store.PREPARED_HASH).unlink(missing_ok=True)
        store.store_prepared(tmp_path, {"x": torch.full((4,), value)})
        os.utime(tmp_path / "prepared.safetensors", ns=(value, value))
        found = store.load_prepared(tmp_path)
        assert found is not None
        assert found["x"].tolist() == [value] * 4


def test_other_data_than_a_search_began_with_are_refused(tmp_path: Path) -> None:
    store.store_prepared(tmp_path, {"x": torch.ones(4)})
    (tmp_path / store.PREPARED).unlink()
    with pytest.raises(StoreError, match="prepares other data than"):
        store.store_prepared(tmp_path, {"x": torch.zeros(4)})
    store.store_prepared(tmp_path, {"x": torch.ones(4)})
    store.check_prepared(tmp_path)


def test_no_draft_is_left_behind(folder: Path) -> None:
    (folder / "weights").mkdir(exist_ok=True)
    store.store_state(folder, State({"a": torch.ones(1)}))
    store.write_config(folder, {"births": 3})
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
