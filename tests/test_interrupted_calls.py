"""`evonas.search` in a notebook or a thread, broken off by an exception that is no `Exception`."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pytest
from support.tiny_search import TINY

from evonas import api
from evonas.genome import Birth
from evonas.history import Individual
from evonas.store import decisions, read_journal


@final
@dataclass(frozen=True)
class Interrupting:
    """Watches a search until a candidate has finished, or reported."""

    finished_number: int = -1
    reported_number: int = -1

    def told(self, message: str) -> None:
        """Hear it."""

    def resumed(self, individuals: Sequence[Individual]) -> None:
        """Hear it."""

    def born(self, number: int, birth: Birth) -> None:
        """Hear it."""

    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        if number == self.reported_number:
            raise KeyboardInterrupt

    def finished(self, individual: Individual) -> None:
        if individual.number == self.finished_number:
            raise KeyboardInterrupt


def directly(call: Callable[[], Any]) -> None:
    call()


def in_a_thread(call: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(1) as threads:
        threads.submit(call).result()


@pytest.mark.parametrize("called", [directly, in_a_thread])
@pytest.mark.parametrize("view", [Interrupting(finished_number=4), Interrupting(reported_number=5)])
def test_an_interrupted_call_says_what_is_recorded_and_the_next_one_goes_on(
    tmp_path: Path, called: Callable[[Callable[[], Any]], None], view: Interrupting
) -> None:
    folder, whole = tmp_path / "run", tmp_path / "whole"
    with pytest.raises(KeyboardInterrupt) as stopped:
        called(lambda: api.search(TINY, out=folder, view=view))
    record, intact = read_journal(folder)
    assert stopped.value.__notes__ == [f"births recorded: {len(record.births)}"]
    assert intact == (folder / "journal.jsonl").stat().st_size
    assert 0 < len(record.outcomes) < len(record.births)
    called(lambda: api.search(TINY, out=folder))
    api.search(TINY, out=whole)
    assert decisions(folder) == decisions(whole)
