"""The record of a search on disk: `run.toml`, `journal.jsonl`, `weights/`, `prepared.safetensors`.

What is guaranteed, with `durability = "fsync"`:

- A line of the journal that was written is on the disk, also after a power cut. Every line carries
  its checksum; one that was being written in a crash is cut off by the next opening.
- Every other file is there whole or not at all: a draft is written, synced and renamed, then its
  folder is synced.
- Weights are named by the hash of their content and stand on the disk before the line that names
  them; the hash is compared whenever they are read.
- Where the disk refuses a write, the journal is cut back to its last whole line.
- Nothing is written to the journal that could not be read back.

With `"flush"` the same holds when a process is killed; a power cut may take the last lines.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Literal, final

from evonas.errors import StoreError
from evonas.genome import Birth
from evonas.history import Outcome
from evonas.store.contents import birth_of, outcome_of
from evonas.store.files import cannot_write, sweep, sync_folder
from evonas.store.journal import JOURNAL, birth_line, outcome_line, read_journal
from evonas.store.lines import decode
from evonas.store.lock import held
from evonas.store.weights import drop_unnamed

Durability = Literal["fsync", "flush"]


@final
class Store:
    """The open record of one search; one process at a time holds it.

    Opening it clears away what a crash has left: a torn last line, drafts, and weights that
    nothing names.

    Raises:
        StoreError: if the folder cannot be written, is in use, or its journal is damaged.
    """

    def __init__(self, folder: Path, durability: Durability = "fsync") -> None:
        self.folder = folder
        self._durability = durability
        is_new = not folder.exists()
        try:
            with ExitStack() as files:
                (folder / "weights").mkdir(parents=True, exist_ok=True)
                files.enter_context(held(folder))
                self.record, self._length = read_journal(folder)
                self._journal = files.enter_context((folder / JOURNAL).open("ab", buffering=0))
                self._journal.truncate(self._length)
                sweep(folder)
                drop_unnamed(folder)
                if durability == "fsync":
                    sync_folder(folder)
                if is_new:
                    sync_folder(folder.parent)
                self._files = files.pop_all()
        except OSError as error:
            raise cannot_write(folder, error) from error
        self._last = len(self.record.births) - 1

    def birth(self, number: int, birth: Birth) -> None:
        """Append the line of a birth.

        Raises:
            StoreError: if it cannot be, or the disk refuses it; the journal is as it was.
        """
        line = birth_line(number, birth)
        _check(line, number, birth_of)
        self._append(line)
        self._last = number

    def outcome(self, number: int, outcome: Outcome, elapsed: float) -> None:
        """Append the line of an outcome, whose weights are already stored.

        Raises:
            StoreError: if it cannot be, or the disk refuses it; the journal is as it was.
        """
        line = outcome_line(number, outcome, elapsed)
        _check(line, number, outcome_of)
        self._append(line)

    def close(self) -> None:
        """Close the journal and let other processes have the folder; the workers are gone."""
        with suppress(OSError):  # where the disk is what ends the search, the next opening does it
            sweep(self.folder)
        self._files.close()

    def _append(self, line: bytes) -> None:
        try:
            rest = memoryview(line)
            while rest:  # a disk that fills up takes a part of it first
                rest = rest[self._journal.write(rest) :]
            if self._durability == "fsync":
                os.fsync(self._journal.fileno())
        except BaseException as error:  # also an interrupt between two writes
            with suppress(OSError):  # then the torn line is cut off by the next opening
                self._journal.truncate(self._length)
            if not isinstance(error, OSError):
                raise
            kept = f"the record is kept up to #{self._last}" if self._last >= 0 else "it is empty"
            raise cannot_write(self.folder / JOURNAL, error, kept) from error
        self._length += len(line)


def _check(line: bytes, number: int, read: Callable[[Mapping[str, Any], int], object]) -> None:
    """Check that a line can be read back, before it is written.

    Raises:
        StoreError: saying what cannot.
    """
    row = decode(line)
    if row is None:
        raise StoreError(f"#{number} cannot be recorded: it holds what JSON cannot")
    try:
        read(row, number)
    except StoreError as error:
        raise StoreError(f"#{number} cannot be recorded: {error}") from None
