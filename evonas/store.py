"""The record of a search on disk: `run.toml`, `journal.jsonl`, `weights/`, `prepared.safetensors`.

The journal has one line a birth and one an outcome, appended and flushed to the disk, each with a
checksum. Weights are named by the hash of their content and stand on the disk before the line
that names them. A torn last line is what a crash in mid-write leaves; it is cut off. Any other bad
line stops the reading, by its number.
"""

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TextIO, final

import tomli_w
from safetensors.torch import load_file, save
from torch import Tensor

from evonas.errors import StoreError
from evonas.genome import Birth
from evonas.history import History, Individual, Outcome, outcome_from_json
from evonas.state import State

JOURNAL = "journal.jsonl"
Durability = Literal["fsync", "flush"]


@final
@dataclass(frozen=True)
class Record:
    """What a journal says.

    Attributes:
        births: In order of their numbers.
        outcomes: By number; a birth without one was in flight.
        elapsed: Seconds of searching up to the last outcome.
    """

    births: list[Birth]
    outcomes: dict[int, Outcome]
    elapsed: float

    def history(self) -> History:
        """Return the individuals up to the first birth that has no outcome."""
        history = History()
        for number, birth in enumerate(self.births):
            if number not in self.outcomes:
                break
            history.append(Individual(number, birth, self.outcomes[number]))
        return history


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
                _take(files.enter_context((folder / "lock").open("a+", encoding="utf-8")), folder)
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
        self._journal.write(_encode(line))
        self._journal.flush()
        if self._durability == "fsync":
            os.fsync(self._journal.fileno())


def read_journal(folder: Path) -> tuple[Record, int]:
    """Read a run's journal; return what it says and the length of its intact part in bytes.

    Raises:
        StoreError: if a line other than the last is damaged, by its number.
    """
    path = folder / JOURNAL
    if not path.exists():
        return Record([], {}, 0.0), 0
    lines = path.read_bytes().splitlines(keepends=True)
    record, intact = _read(lines)
    is_torn = intact == len(lines) - 1 and _decode(lines[-1]) is None
    if intact < len(lines) and not is_torn:
        raise StoreError(
            f"line {intact + 1} of {str(path)!r} is damaged; "
            f"`evonas repair {folder}` keeps the lines before it"
        )
    return record, sum(map(len, lines[:intact]))


def repair(folder: Path) -> int:
    """Cut a journal before its first damaged line; the rest is kept beside it, to be looked at.

    Returns:
        The number of lines that were cut.
    """
    path = folder / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    _, intact = _read(lines)
    if intact < len(lines):
        _write(folder / "journal.damaged", b"".join(lines[intact:]))
        _write(path, b"".join(lines[:intact]))
    return len(lines) - intact


def decisions(folder: Path) -> list[dict[str, Any]]:
    """Return the journal's lines without clock times, by number: what two equal searches share."""
    lines = [_decode(raw) for raw in (folder / JOURNAL).read_bytes().splitlines(keepends=True)]
    timeless = [{k: v for k, v in line.items() if k != "clock"} for line in lines if line]
    return sorted(timeless, key=lambda line: (line["number"], "outcome" in line))


def weights_path(folder: Path, digest: str) -> Path:
    """Return where the weights with this hash stand."""
    return folder / "weights" / f"{digest}.safetensors"


def store_state(folder: Path, state: State) -> str:
    """Write a state under the hash of its content, durably, and return the hash."""
    data = state.to_bytes()
    digest = hashlib.sha256(data).hexdigest()
    path = weights_path(folder, digest)
    if not path.exists():
        _write(path, data)
    return digest


def load_state(folder: Path, digest: str) -> State:
    """Read the state with this hash.

    Raises:
        StoreError: if it is not there.
    """
    path = weights_path(folder, digest)
    if not path.exists():
        raise StoreError(f"the weights {digest[:12]} are not in {str(path.parent)!r}")
    return State.from_file(path)


def store_prepared(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write what all candidates share."""
    _write(folder / "prepared.safetensors", save(dict(tensors)))


def load_prepared(folder: Path) -> Mapping[str, Tensor] | None:
    """Read what all candidates share, or None if it was never prepared; mapped, not copied."""
    path = folder / "prepared.safetensors"
    return _mapped(path, path.stat().st_mtime_ns) if path.exists() else None


def store_reference(folder: Path, seconds: float) -> None:
    """Write what the reference network takes here; see `evonas.latency`."""
    write_text(folder / "latency.json", json.dumps({"reference_seconds": seconds}) + "\n")


def load_reference(folder: Path) -> float | None:
    """Read what the reference network took when the search began, or None if nobody asked."""
    path = folder / "latency.json"
    if not path.exists():
        return None
    return float(json.loads(path.read_text(encoding="utf-8"))["reference_seconds"])


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved run file."""
    _write(folder / "run.toml", tomli_w.dumps(config).encode())


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    _write(path, text.encode())


@lru_cache(maxsize=2)
def _mapped(path: Path, _modified: int) -> Mapping[str, Tensor]:
    return load_file(path)


def _write(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _encode(line: Mapping[str, Any]) -> bytes:
    text = json.dumps(line, separators=(",", ":"), allow_nan=False)
    return f'{text[:-1]},"crc":"{zlib.crc32(text.encode()):08x}"}}\n'.encode()


def _decode(raw: bytes) -> dict[str, Any] | None:
    """Return the line without its checksum, or None if it is torn or damaged."""
    body, mark, check = raw.rpartition(b',"crc":"')
    text = body + b"}"
    if not mark or check != f'{zlib.crc32(text):08x}"}}\n'.encode():
        return None
    return json.loads(text)


def _read(lines: Sequence[bytes]) -> tuple[Record, int]:
    """Return what the lines say up to the first that is damaged or out of order, and its place."""
    record, elapsed = Record([], {}, 0.0), 0.0
    for place, raw in enumerate(lines):
        line = _decode(raw)
        if line is None or not _follows(line, record):
            return replace(record, elapsed=elapsed), place
        if "birth" in line:
            record.births.append(Birth.from_json(line["birth"]))
        else:
            outcome = outcome_from_json(line["outcome"])
            cost = replace(outcome.cost, seconds=line["clock"]["seconds"])
            record.outcomes[line["number"]] = replace(outcome, cost=cost)
            elapsed = float(line["clock"]["elapsed"])
    return replace(record, elapsed=elapsed), len(lines)


def _follows(line: Mapping[str, Any], record: Record) -> bool:
    """Return whether a line is the next birth, or the outcome of a birth that has none."""
    number, births = line["number"], len(record.births)
    return (
        number == births if "birth" in line else number < births and number not in record.outcomes
    )


def _take(lock: TextIO, folder: Path) -> None:
    """Lock the file until it is closed, however this process ends; write into it who holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "?"
        raise StoreError(
            f"{str(folder)!r} is in use by process {holder}; wait or stop it"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
