"""A damaged run is repaired to the search that it was."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.tiny_search import TINY

from evonas import config, loop, store
from evonas.config import Run
from evonas.errors import StoreError
from evonas.history import Evaluation
from evonas.repair import repair
from evonas.report.live import Silent
from evonas.store import JOURNAL, decisions, read_journal


def tiny(**more: Any) -> Run:
    return config.from_table({**TINY, "births": 8, **more}, "tiny")


def search(run: Run, folder: Path) -> list[dict[str, Any]]:
    loop.search(run, folder, Silent())
    return decisions(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    search(tiny(), folder)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished search, to be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


def lines_of(folder: Path) -> list[bytes]:
    return (folder / JOURNAL).read_bytes().splitlines(keepends=True)


def damage(folder: Path, *places: int) -> list[bytes]:
    """Flip a bit in the middle of these lines; return all lines as they were."""
    lines = lines_of(folder)
    changed = list(lines)
    for place in places:
        middle = len(lines[place]) // 2
        flipped = bytes([lines[place][middle] ^ 1])
        changed[place] = lines[place][:middle] + flipped + lines[place][middle + 1 :]
    (folder / JOURNAL).write_bytes(b"".join(changed))
    return lines


def repaired(folder: Path, *, retrain: bool = False) -> tuple[bool, str]:
    said: list[str] = []
    return repair(folder, retrain=retrain, told=said.append), "\n".join(said)


@pytest.mark.slow
def test_any_damaged_line_is_mended_and_the_search_comes_to_the_same_journal(
    finished: Path, tmp_path: Path
) -> None:
    whole = decisions(finished)
    for place in range(len(lines_of(finished))):
        folder = shutil.copytree(finished, tmp_path / str(place))
        lines = damage(folder, place)
        _, said = repaired(folder)
        assert f"{len(lines) - 1} lines of the journal are kept, 1 damaged ones" in said
        assert set(lines_of(folder)) >= set(lines) - {lines[place]}
        assert search(tiny(), folder) == whole, f"line {place + 1} damaged"


def test_a_lost_birth_is_written_as_it_was(folder: Path) -> None:
    lines = lines_of(folder)
    place = next(n for n, line in enumerate(lines) if b'"number":5' in line)
    damage(folder, place)
    _, said = repaired(folder)
    assert "birth 5 was lost and is proposed anew" in said
    assert sorted(lines_of(folder)) == sorted(lines)


def test_a_lost_outcome_leaves_the_candidate_in_flight(folder: Path) -> None:
    lines = lines_of(folder)
    place = next(n for n, line in enumerate(lines) if b'"outcome":' in line[:12])
    damage(folder, place)
    repaired(folder)
    record, _ = read_journal(folder)
    assert (len(record.births), len(record.outcomes)) == (8, 7)
    assert 0 not in record.outcomes


def test_a_birth_whose_history_is_lost_too_ends_the_journal_and_says_why(folder: Path) -> None:
    lines = lines_of(folder)
    birth = next(n for n, line in enumerate(lines) if b'"number":5' in line)
    outcome = next(n for n, line in enumerate(lines) if b'"outcome":' in line[:12])
    damage(folder, birth, outcome)
    _, said = repaired(folder)
    assert "birth 5 cannot be proposed anew: the history that it came from is lost" in said
    record, _ = read_journal(folder)
    assert len(record.births) == 5
    aside = (folder / store.DAMAGED).read_bytes()
    assert sum(line in aside for line in lines) == len(lines) - len(lines_of(folder)) - 2


def test_a_birth_that_is_proposed_otherwise_today_is_not_taken(folder: Path) -> None:
    store.write_config(folder, tiny(seed=1).config)
    place = next(n for n, line in enumerate(lines_of(folder)) if b'"number":5' in line)
    damage(folder, place)
    _, said = repaired(folder)
    assert "birth 5 cannot be proposed anew: " in said
    assert len(read_journal(folder)[0].births) == 5


def test_in_the_order_of_finishing_a_lost_birth_ends_the_journal(tmp_path: Path) -> None:
    run, folder = tiny(order="finish"), tmp_path / "run"
    search(run, folder)
    damage(folder, next(n for n, line in enumerate(lines_of(folder)) if b'"number":5' in line))
    _, said = repaired(folder)
    assert "birth 5 cannot be proposed anew: a search in the order of finishing" in said
    assert len(search(run, folder)) == 16


@pytest.mark.slow
def test_in_the_order_of_finishing_a_lost_outcome_is_evaluated_again(tmp_path: Path) -> None:
    run, whole = tiny(order="finish"), tmp_path / "whole"
    decided = search(run, whole)
    for place, line in enumerate(lines_of(whole)):
        if line.startswith(b'{"outcome"'):
            folder = shutil.copytree(whole, tmp_path / str(place))
            damage(folder, place)
            repaired(folder)
            assert search(run, folder) == decided, f"line {place + 1} damaged"


def test_an_intact_run_is_left_as_it_is(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert repaired(folder) == (True, "the journal is intact")
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    del before[folder / "lock"], after[folder / "lock"]
    assert after == before


def test_lost_weights_are_named_with_their_candidates_and_trained_again(folder: Path) -> None:
    record, _ = read_journal(folder)
    weights = weights_of(record.outcomes)
    originals = {name: store.weights_path(folder, name).read_bytes() for name in weights}
    for place, digest in enumerate(weights):
        path = store.weights_path(folder, digest)
        path.unlink() if place % 2 else path.write_bytes(originals[digest][:-1] + b"x")
    is_whole, said = repaired(folder)
    assert not is_whole
    assert said.count("are damaged") + said.count("are not in") == len(weights)
    assert len(list((folder / "weights" / "damaged").iterdir())) == (len(weights) + 1) // 2
    is_whole, said = repaired(folder, retrain=True)
    assert is_whole, said
    assert said.count("has been trained again, to the recorded weights") == len(weights)
    for digest, data in originals.items():
        assert store.weights_path(folder, digest).read_bytes() == data


def weights_of(outcomes: Mapping[int, object]) -> list[str]:
    found = [one.weights for one in outcomes.values() if isinstance(one, Evaluation)]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("name", [store.CONFIG, store.PREPARED, store.PREPARED_HASH])
def test_a_damaged_file_is_set_aside_and_made_again(folder: Path, name: str) -> None:
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(before[:-9])
    with pytest.raises(StoreError, match=name):
        search(tiny(births=9), folder)
    _, said = repaired(folder)
    assert f"{name} is damaged" in said
    assert (folder / f"{name}.damaged").read_bytes() == before[:-9]
    assert search(tiny(), folder) == decisions(folder)
    search(tiny(births=9), folder)


def test_a_run_in_use_is_not_repaired(folder: Path) -> None:
    with store.held(folder), pytest.raises(StoreError, match="is in use by process"):
        repaired(folder)


def test_a_child_of_lost_weights_is_not_trained_from_scratch(folder: Path) -> None:
    before = (folder / JOURNAL).read_bytes()
    for path in (folder / "weights").iterdir():
        path.unlink()
    with pytest.raises(StoreError, match=f"evonas repair {folder} --retrain") as caught:
        search(tiny(births=9), folder)
    assert str(folder / "weights") in str(caught.value)
    after = (folder / JOURNAL).read_bytes()
    assert after.removeprefix(before).startswith(b'{"birth"')
    assert b'{"outcome"' not in after.removeprefix(before)
    assert repaired(folder, retrain=True)[0]
    assert search(tiny(births=9), folder) == search(tiny(births=9), folder.parent / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("option", "status"), [([], 1), (["--retrain"], 0)])
def test_the_command_says_by_its_status_whether_anything_is_missing(
    folder: Path, option: list[str], status: int
) -> None:
    next((folder / "weights").iterdir()).unlink()
    done = subprocess.run(
        [sys.executable, "-m", "evonas", "repair", str(folder), *option],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "the journal is intact" in done.stdout
    assert ("has been trained again" in done.stdout) == bool(option)
