"""The journal: a line a birth and a line an outcome, each with a checksum.

A last line without its end is what a crash in mid-write leaves, and what is being written while a
search runs; it does not count. Any other bad line stops the reading, by its number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from evonas import rows
from evonas.errors import StoreError
from evonas.genome import Birth
from evonas.genome.shared import Shared
from evonas.history import History, Order, Outcome
from evonas.store import collector
from evonas.store.contents import birth_of, outcome_of
from evonas.store.lines import decode, encode, lines_of

JOURNAL = "journal.jsonl"


@final
@dataclass(frozen=True)
class Record:
    """What a journal says.

    Attributes:
        births: In order of their numbers.
        outcomes: By number, in the order in which they came; a birth without one was in flight.
        elapsed: Seconds of searching up to the last outcome.
    """

    births: list[Birth]
    outcomes: dict[int, Outcome]
    elapsed: float

    def history(self, order: Order = "birth") -> History:
        """Return what is complete in an order: by birth, all before the first in flight."""
        history = History()
        history.grow(self.births, self.outcomes, order)
        return history


def read_journal(folder: Path) -> tuple[Record, int]:
    """Read a run's journal; return what it says and the length of its intact part in bytes.

    Raises:
        StoreError: if a line is damaged, by its number, or nothing can be read.
    """
    path = folder / JOURNAL
    if not path.exists():
        return Record([], {}, 0.0), 0
    try:
        lines = lines_of(path)
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error
    with collector.paused():
        record, intact, reason = _read(lines)
    is_torn = intact == len(lines) - 1 and not lines[-1].endswith(b"\n")
    if intact < len(lines) and not is_torn:
        raise StoreError(
            f"line {intact + 1} of {str(path)!r} is {reason}; "
            f"`evonas repair {folder}` keeps all the others"
        )
    return record, sum(map(len, lines[:intact]))


def decisions(folder: Path) -> list[dict[str, Any]]:
    """Return the journal's lines without clock times, by number: what two equal searches share."""
    lines = [decode(raw) for raw in lines_of(folder / JOURNAL)]
    timeless = [{k: v for k, v in line.items() if k != "clock"} for line in lines if line]
    return sorted(timeless, key=lambda line: (line["number"], "outcome" in line))


def birth_line(number: int, birth: Birth) -> bytes:
    """Return the line of a birth."""
    return encode({"birth": birth.to_json(), "number": number})


def outcome_line(number: int, outcome: Outcome, elapsed: float) -> bytes:
    """Return the line of an outcome; its clock times stand apart from what decides."""
    clock = {"seconds": outcome.cost.seconds, "elapsed": elapsed}
    timeless = replace(outcome, cost=replace(outcome.cost, seconds=0.0))
    return encode({"outcome": timeless.to_json(), "number": number, "clock": clock})


def _read(lines: Sequence[bytes]) -> tuple[Record, int, str]:
    """Return what the lines say up to the first that is damaged, its place, and what it is."""
    record, elapsed, shared = Record([], {}, 0.0), 0.0, Shared()
    for place, raw in enumerate(lines):
        line = decode(raw)
        try:
            if line is None or not _follows(line, record):
                return replace(record, elapsed=elapsed), place, "damaged"
            if "birth" in line:
                record.births.append(birth_of(line, len(record.births), shared))
            else:
                outcome, elapsed = outcome_of(line, line["number"])
                record.outcomes[line["number"]] = outcome
        except StoreError as error:
            return replace(record, elapsed=elapsed), place, f"damaged or forged ({error})"
    return replace(record, elapsed=elapsed), len(lines), ""


def _follows(line: Mapping[str, Any], record: Record) -> bool:
    """Return whether a line is the next birth, or the outcome of a birth that has none."""
    number, births = rows.field(line, "number", rows.whole), len(record.births)
    return (
        number == births if "birth" in line else number < births and number not in record.outcomes
    )
