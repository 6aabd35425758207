"""The journal: a line a birth and a line an outcome, each with a checksum.

A torn last line is what a crash in mid-write leaves; it is cut off. Any other bad line stops the
reading, by its number.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from evonas import rows, strict
from evonas.errors import StoreError
from evonas.genome import Birth
from evonas.history import History, Individual, Outcome
from evonas.store.files import write
from evonas.store.lines import birth_of, outcome_of

JOURNAL = "journal.jsonl"


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


def read_journal(folder: Path) -> tuple[Record, int]:
    """Read a run's journal; return what it says and the length of its intact part in bytes.

    Raises:
        StoreError: if a line other than the last is damaged, by its number.
    """
    path = folder / JOURNAL
    if not path.exists():
        return Record([], {}, 0.0), 0
    lines = path.read_bytes().splitlines(keepends=True)
    record, intact, reason = _read(lines)
    is_torn = intact == len(lines) - 1 and reason == "damaged" and _decode(lines[-1]) is None
    if intact < len(lines) and not is_torn:
        raise StoreError(
            f"line {intact + 1} of {str(path)!r} is {reason}; "
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
    _, intact, _ = _read(lines)
    if intact < len(lines):
        write(folder / "journal.damaged", b"".join(lines[intact:]))
        write(path, b"".join(lines[:intact]))
    return len(lines) - intact


def decisions(folder: Path) -> list[dict[str, Any]]:
    """Return the journal's lines without clock times, by number: what two equal searches share."""
    lines = [_decode(raw) for raw in (folder / JOURNAL).read_bytes().splitlines(keepends=True)]
    timeless = [{k: v for k, v in line.items() if k != "clock"} for line in lines if line]
    return sorted(timeless, key=lambda line: (line["number"], "outcome" in line))


def encode(line: Mapping[str, Any]) -> bytes:
    """Return a journal line with its checksum."""
    text = json.dumps(line, separators=(",", ":"), allow_nan=False)
    return f'{text[:-1]},"crc":"{zlib.crc32(text.encode()):08x}"}}\n'.encode()


def _decode(raw: bytes) -> Mapping[str, Any] | None:
    """Return the line without its checksum, or None if it is torn or damaged."""
    body, mark, check = raw.rpartition(b',"crc":"')
    text = body + b"}"
    if not mark or check != f'{zlib.crc32(text):08x}"}}\n'.encode():
        return None
    return rows.mapping(strict.parse(text), "the line")


def _read(lines: Sequence[bytes]) -> tuple[Record, int, str]:
    """Return what the lines say up to the first that is damaged, its place, and what it is."""
    record, elapsed, reason = Record([], {}, 0.0), 0.0, "damaged"
    for place, raw in enumerate(lines):
        try:
            line = _decode(raw)
            if line is None or not _follows(line, record):
                return replace(record, elapsed=elapsed), place, reason
            if "birth" in line:
                record.births.append(birth_of(line, len(record.births)))
            else:
                outcome, elapsed = outcome_of(line, record.births)
                record.outcomes[line["number"]] = outcome
        except StoreError as error:
            reason = f"damaged or forged: {error}"
            return replace(record, elapsed=elapsed), place, reason
    return replace(record, elapsed=elapsed), len(lines), ""


def _follows(line: Mapping[str, Any], record: Record) -> bool:
    """Return whether a line is the next birth, or the outcome of a birth that has none."""
    number, births = rows.field(line, "number", rows.whole), len(record.births)
    return (
        number == births if "birth" in line else number < births and number not in record.outcomes
    )
