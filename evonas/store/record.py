"""The record of a search on disk: `run.toml`, `journal.jsonl`, `weights/`, `prepared.safetensors`.

Journal lines are appended and flushed to the disk one by one. Weights are named by the hash of
their content and stand on the disk before the line that names them.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, final

from evonas.errors import StoreError
from evonas.genome import Birth
from evonas.history import Outcome
from evonas.store.journal import JOURNAL, encode, read_journal
from evonas.store.lock import take

Durability = Literal["fsync", "flush"]


@final
class Store:
    """The open record of one search; one process at a time holds it.

    Raises:
        StoreError: if the folder cannot be written, is in use, or its journal is damaged.
    """

    def __init__(self, folder: Path, durability: Durability = "fsync") -> None:
        self.folder = folder
        self._durability = durability
        try:
            with ExitStack() as files:
                (folder / "weights").mkdir(parents=True, exist_ok=True)
                take(files.enter_context((folder / "lock").open("a+", encoding="utf-8")), folder)
                self.record, length = read_journal(folder)
                self._journal = files.enter_context((folder / JOURNAL).open("ab"))
                self._journal.truncate(length)
                self._files = files.pop_all()
        except OSError as error:
            raise StoreError(f"cannot write to {str(folder)!r}: {error.strerror}") from error

    def birth(self, number: int, birth: Birth) -> None:
        """Append the line of a birth."""
        self._append({"birth": birth.to_json(), "number": number})

    def outcome(self, number: int, outcome: Outcome, elapsed: float) -> None:
        """Append the line of an outcome, whose weights are already stored."""
        clock = {"seconds": outcome.cost.seconds, "elapsed": elapsed}
        timeless = replace(outcome, cost=replace(outcome.cost, seconds=0.0))
        self._append({"outcome": timeless.to_json(), "number": number, "clock": clock})

    def close(self) -> None:
        """Close the journal and let other processes have the folder."""
        self._files.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        self._journal.write(encode(line))
        self._journal.flush()
        if self._durability == "fsync":
            os.fsync(self._journal.fileno())
