"""Random damage to any file of a run: it is named, or it changes nothing that is read."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from support.tiny_search import TINY

from evonas import api, config, loop, seeds, store
from evonas.errors import ConfigError, EvonasError, StoreError
from evonas.repair import repair
from evonas.report.live import Silent
from evonas.seeds import Rng
from evonas.store import JOURNAL

T = TypeVar("T")
BIRTHS = 6
CASES = 60


def cut(data: bytearray, rng: Rng) -> None:
    del data[int(rng.integers(len(data))) :]


def flip(data: bytearray, rng: Rng) -> None:
    for place in rng.integers(len(data), size=int(rng.integers(1, 4))):
        data[place] ^= 1 << int(rng.integers(8))


def zero(data: bytearray, rng: Rng) -> None:
    start, end = sorted(map(int, rng.integers(len(data) + 1, size=2)))
    data[start:end] = bytes(end - start)


def double(data: bytearray, rng: Rng) -> None:
    start, end = sorted(map(int, rng.integers(len(data) + 1, size=2)))
    data[end:end] = data[start:end]


def drop(data: bytearray, rng: Rng) -> None:
    start, end = sorted(map(int, rng.integers(len(data) + 1, size=2)))
    del data[start:end]


DAMAGES: tuple[Callable[[bytearray, Rng], None], ...] = (cut, flip, zero, double, drop)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    table: dict[str, Any] = {**TINY, "births": BIRTHS}
    loop.search(config.from_table(table, "tiny"), folder, Silent())
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def damages(name: str, whole: bytes) -> list[bytes]:
    """Return what a file becomes by each of many damages."""
    found: list[bytes] = []
    for case in range(CASES):
        data = bytearray(whole)
        DAMAGES[case % len(DAMAGES)](data, seeds.stream(0, "damage", name, case))
        if bytes(data) != whole:
            found.append(bytes(data))
    assert len(found) > CASES - 10, "nearly every damage must change something"
    return found


def is_told_of(record: store.Record, whole: store.Record) -> bool:
    """Return whether a record says nothing but what another one says, too."""
    return record.births == whole.births[: len(record.births)] and all(
        whole.outcomes.get(number) == outcome for number, outcome in record.outcomes.items()
    )


def outcome_of(read: Callable[[], T]) -> tuple[str, T | None]:
    """Return what an error of ours says, or what is read."""
    try:
        return "", read()
    except EvonasError as error:
        return str(error), None


def test_a_damaged_journal_is_named_by_its_line_or_read_without_its_torn_one(folder: Path) -> None:
    record, _ = store.read_journal(folder)
    named = 0
    for data in damages("journal", (folder / JOURNAL).read_bytes()):
        (folder / JOURNAL).write_bytes(data)
        said, found = outcome_of(lambda: store.read_journal(folder)[0])
        assert found is None or is_told_of(found, record)
        assert found or f"of {str(folder / JOURNAL)!r} is damaged" in said
        named += found is None
    assert named > CASES / 3


@pytest.mark.slow
def test_what_repair_keeps_of_a_damaged_journal_is_what_was_recorded(folder: Path) -> None:
    record, _ = store.read_journal(folder)
    whole = (folder / JOURNAL).read_bytes()
    for data in damages("journal", whole):
        (folder / JOURNAL).write_bytes(data)
        repair(folder, retrain=False, told=lambda _: None)
        found, _ = store.read_journal(folder)
        assert is_told_of(found, record)
        kept = (folder / JOURNAL).read_bytes()
        aside = folder / store.DAMAGED
        lost = set(data.split(b"\n")) - set(kept.split(b"\n"))
        assert all(line in aside.read_bytes() for line in lost)
        aside.unlink(missing_ok=True)


def test_damaged_weights_are_never_loaded(folder: Path) -> None:
    digest = next(iter(folder.glob("weights/*.safetensors"))).stem
    path = store.weights_path(folder, digest)
    for data in damages("weights", path.read_bytes()):
        path.write_bytes(data)
        with pytest.raises(StoreError, match=f"{path}.* --retrain"):
            store.load_state(folder, digest)


@pytest.mark.parametrize("name", [store.PREPARED, store.PREPARED_HASH])
def test_damaged_data_are_never_trained_on(folder: Path, name: str) -> None:
    for data in damages(name, (folder / name).read_bytes()):
        (folder / name).write_bytes(data)
        with pytest.raises(StoreError, match=f"{folder / name}' is not what was stored"):
            store.check_prepared(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", [store.PREPARED, store.CONFIG])
def test_a_search_refuses_to_go_on_with_a_damaged_file(folder: Path, name: str) -> None:
    run = config.from_table({**TINY, "births": BIRTHS}, "tiny")
    before = (folder / JOURNAL).read_bytes()
    for data in damages(name, (folder / name).read_bytes())[::6]:
        (folder / name).write_bytes(data)
        with pytest.raises(StoreError, match=str(folder / name)):
            loop.search(run, folder, Silent())
    assert (folder / JOURNAL).read_bytes() == before


def test_a_damaged_run_file_is_named(folder: Path) -> None:
    for data in damages("config", (folder / store.CONFIG).read_bytes()):
        (folder / store.CONFIG).write_bytes(data)
        with pytest.raises((StoreError, ConfigError), match=str(folder / store.CONFIG)):
            api.open_run(folder)


def test_what_damaged_data_do_to_their_readers_is_an_error_of_ours(folder: Path) -> None:
    for data in damages("shared", (folder / store.PREPARED).read_bytes()):
        (folder / store.PREPARED).unlink()
        (folder / store.PREPARED).write_bytes(data)
        said, tensors = outcome_of(lambda: store.load_prepared(folder))
        assert tensors is not None or str(folder / store.PREPARED) in said


def test_whatever_stands_in_a_lock_file_holds_nothing(folder: Path) -> None:
    rng = seeds.stream(0, "lock")
    for _ in range(CASES // 3):
        (folder / "lock").write_bytes(rng.bytes(int(rng.integers(600))))
        store.Store(folder).close()
        with store.held(folder), pytest.raises(StoreError, match="is in use by process"):
            store.Store(folder)
