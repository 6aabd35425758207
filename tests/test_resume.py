"""The journal is the only state: whatever stops a search, the same command goes on with it."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.tiny_search import TINY

from evonas import config, loop
from evonas.config import Run
from evonas.errors import StoreError
from evonas.executors.processes import Processes
from evonas.genome import Birth
from evonas.history import Evaluation, Failure, Individual
from evonas.store import JOURNAL, Store, decisions, read_journal

DIVERGING = {"trainer": {"name": "support.tiny_search:Tiny", "worst": 2.2}}
REPEATING = {"controller": "support.tiny_search:Repeating"}


class Watcher:
    """Counts births; may interrupt the search as a Ctrl-C does, when so many have finished."""

    def __init__(self, interrupt_at: int = -1) -> None:
        self.born_numbers: list[int] = []
        self.resumed_after = 0
        self.num_finished = 0
        self.interrupt_at = interrupt_at

    def told(self, message: str) -> None:
        raise AssertionError(message)

    def resumed(self, individuals: Sequence[Individual]) -> None:
        self.resumed_after = len(individuals)

    def born(self, number: int, birth: Birth) -> None:
        del birth
        self.born_numbers.append(number)

    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        pass

    def finished(self, individual: Individual) -> None:
        del individual
        self.num_finished += 1
        if self.num_finished == self.interrupt_at:
            raise KeyboardInterrupt


def tiny(*changes: Mapping[str, Any], **more: Any) -> Run:
    table = dict(TINY)
    for change in (*changes, more):
        table |= change
    return config.from_table(table, "tiny")


def search(run: Run, folder: Path, view: Watcher | None = None) -> list[dict[str, Any]]:
    loop.search(run, folder, view or Watcher())
    return decisions(folder)


@pytest.fixture(scope="module", params=[{}, DIVERGING, REPEATING], ids=["", "diverge", "repeat"])
def uninterrupted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Path, list[dict[str, Any]]]:
    """A run that came to its end, and what it decided."""
    run, folder = tiny(request.param), tmp_path_factory.mktemp("run")
    return run, folder, search(run, folder)


@pytest.mark.slow
def test_the_searches_of_these_tests_fail_and_repeat_where_they_should(tmp_path: Path) -> None:
    search(tiny(DIVERGING), tmp_path / "diverging")
    search(tiny(REPEATING), tmp_path / "repeating")
    diverged = read_journal(tmp_path / "diverging")[0].outcomes.values()
    repeated = read_journal(tmp_path / "repeating")[0].outcomes.values()
    assert 1 <= sum(isinstance(one, Failure) for one in diverged) <= 9
    assert sum(isinstance(one, Evaluation) and one.same_as is not None for one in repeated) == 7


@pytest.mark.slow
def test_a_search_cut_after_any_line_continues_to_the_same_journal(
    uninterrupted: tuple[Run, Path, list[dict[str, Any]]],
) -> None:
    run, folder, decided = uninterrupted
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    for length in range(len(lines)):
        (folder / JOURNAL).write_bytes(b"".join(lines[:length]))
        assert search(run, folder) == decided, f"cut after {length} lines"


@pytest.mark.slow
def test_a_journal_cut_at_any_byte_of_its_last_two_lines_opens_as_one_cut_after_a_line(
    tmp_path: Path,
) -> None:
    search(tiny(births=2, lookahead=1), tmp_path)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    assert [b'{"birth"' in line for line in lines[-2:]] == [True, False]
    before = b"".join(lines[:-2])
    for intact, torn in ((before, lines[-2]), (before + lines[-2], lines[-1])):
        for length in range(len(torn)):
            (tmp_path / JOURNAL).write_bytes(intact + torn[:length])
            Store(tmp_path).close()
            assert (tmp_path / JOURNAL).read_bytes() == intact, f"cut after {torn[:length]!r}"


@pytest.mark.slow
def test_a_search_cut_inside_its_last_two_lines_continues_to_the_same_journal(
    tmp_path: Path,
) -> None:
    run = tiny(births=3, lookahead=1, trainer={"name": "support.tiny_search:Tiny", "steps": 1})
    decided = search(run, tmp_path)
    whole = (tmp_path / JOURNAL).read_bytes()
    lines = whole.splitlines(keepends=True)
    assert [b'{"birth"' in line for line in lines[-2:]] == [True, False]
    start = len(whole) - len(lines[-1]) - len(lines[-2])
    for length in [*range(start, len(whole), 29), len(whole) - 1]:
        (tmp_path / JOURNAL).write_bytes(whole[:length])
        assert search(run, tmp_path) == decided, f"cut at byte {length}"


def test_a_search_that_is_interrupted_again_and_again_comes_to_the_same_journal(
    uninterrupted: tuple[Run, Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    run, _, decided = uninterrupted
    for _ in range(run.births or 0):
        with contextlib.suppress(KeyboardInterrupt):
            search(run, tmp_path, Watcher(interrupt_at=1))
    assert search(run, tmp_path) == decided


def test_a_finished_search_stays_as_it_is(
    uninterrupted: tuple[Run, Path, list[dict[str, Any]]],
) -> None:
    run, folder, _ = uninterrupted
    before = (folder / JOURNAL).read_bytes()
    watcher = Watcher()
    search(run, folder, watcher)
    assert (folder / JOURNAL).read_bytes() == before
    assert (watcher.born_numbers, watcher.resumed_after) == ([], run.births)


@pytest.mark.slow
def test_more_births_continue_the_search_as_if_they_had_been_asked_for_at_once(
    tmp_path: Path,
) -> None:
    search(tiny(births=5), tmp_path / "grown")
    assert search(tiny(), tmp_path / "grown") == search(tiny(), tmp_path / "at_once")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_writes_the_journal_of_a_serial_search(
    uninterrupted: tuple[Run, Path, list[dict[str, Any]]], tmp_path: Path, workers: int
) -> None:
    run, _, decided = uninterrupted
    table = {**run.config, "executor": {"name": "processes", "workers": workers}}
    parallel = config.from_table(table, "tiny")
    assert isinstance(parallel.executor, Processes)
    assert search(parallel, tmp_path) == decided


def test_a_damaged_line_in_the_middle_stops_with_its_number(tmp_path: Path) -> None:
    search(tiny(births=3), tmp_path)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"1", b"2", 1)
    (tmp_path / JOURNAL).write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match=r"line 3 of .* is damaged; `evonas repair"):
        search(tiny(births=3), tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == b"".join(lines)


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Be a user whom file permissions stop, as root is not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.usefixtures("unprivileged")
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_trained() -> None:
    watcher = Watcher()
    with pytest.raises(StoreError, match="cannot write to '/evonas-run': "):
        search(tiny(), Path("/evonas-run"), watcher)
    assert watcher.born_numbers == []


@pytest.mark.usefixtures("unprivileged")
def test_a_run_that_may_only_be_read_is_refused_before_anything_is_trained() -> None:
    with tempfile.TemporaryDirectory() as name:  # tmp_path is closed to the unprivileged
        folder, watcher = Path(name), Watcher()
        search(tiny(births=2), folder)
        for path in (folder, *folder.iterdir()):
            path.chmod(0o555)
        with pytest.raises(StoreError, match="cannot write to"):
            search(tiny(births=3), folder, watcher)
        folder.chmod(0o755)
        (folder / "weights").chmod(0o755)
    assert watcher.born_numbers == []


def test_a_file_in_place_of_the_folder_is_refused_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    (tmp_path / "run").write_text("a letter", encoding="utf-8")
    watcher = Watcher()
    with pytest.raises(StoreError, match="cannot write to"):
        search(tiny(), tmp_path / "run", watcher)
    assert watcher.born_numbers == []
    assert (tmp_path / "run").read_text(encoding="utf-8") == "a letter"


def test_a_run_in_use_is_refused_by_the_number_of_its_process(tmp_path: Path) -> None:
    used = pytest.raises(StoreError, match=f"in use by process {os.getpid()}")
    with contextlib.closing(Store(tmp_path)), used:
        search(tiny(), tmp_path)
    search(tiny(births=1), tmp_path)
