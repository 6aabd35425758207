"""Every bad end is a failure of its kind, with what had been reported before."""

from pathlib import Path
from typing import Any

import pytest
from support.tiny_search import TINY

from evonas import api
from evonas.history import Failure
from evonas.store import read_journal

STEPS = 3


def first_failure(folder: Path, end: str, **changes: Any) -> Failure:
    trainer = {"name": "support.ends:Ends", "end": end}
    table = {**TINY, "name": "tiny", "births": 2, "trainer": trainer, **changes}
    found = api.search(table, out=folder)
    outcome = found.history[1].outcome
    assert isinstance(outcome, Failure), outcome
    return outcome


@pytest.mark.parametrize(
    ("end", "kind", "message"),
    [
        ("nan loss", "diverged", "the loss is nan"),
        ("nan metric", "diverged", "error is not finite at step 9"),
        ("no memory", "memory", "out of memory (trainer Ends does not train batches in parts)"),
        ("no tensor", "memory", "DefaultCPUAllocator: can't allocate memory"),
        ("exception", "error", "JSONDecodeError: Expecting property name"),
        ("full disk", "error", "OSError: [Errno 28] No space left on device"),
    ],
)
def test_a_failure_is_of_its_kind_and_keeps_what_was_reported(
    tmp_path: Path, end: str, kind: str, message: str
) -> None:
    failure = first_failure(tmp_path / "run", end)
    assert failure.kind == kind
    assert message in failure.message
    assert "\n" not in failure.message
    assert [step for step, _ in failure.curve] == list(range(STEPS))
    assert failure.cost.seconds > 0
    recorded = read_journal(tmp_path / "run")[0].outcomes[1]
    assert isinstance(recorded, Failure)
    assert recorded.curve == failure.curve


def test_only_an_exception_has_a_traceback(tmp_path: Path) -> None:
    assert "json" in first_failure(tmp_path / "one", "exception").traceback
    assert not first_failure(tmp_path / "other", "nan loss").traceback
