"""What is intact in a journal, wherever it is damaged, and how to write it anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

from evonas import rows
from evonas.errors import StoreError
from evonas.genome import Birth
from evonas.genome.shared import Shared
from evonas.history import Outcome
from evonas.store.contents import birth_of, outcome_of
from evonas.store.files import write
from evonas.store.journal import JOURNAL, birth_line
from evonas.store.lines import decode, lines_of

DAMAGED = "journal.damaged"


@final
@dataclass(frozen=True)
class Line:
    """An intact line of a journal.

    Attributes:
        place: Its number in the file, from 1.
        raw: Its bytes.
        number: Of the birth it is about.
        told: The birth or its outcome.
    """

    place: int
    raw: bytes
    number: int
    told: Birth | Outcome


@final
@dataclass(frozen=True)
class Salvage:
    """A journal's lines, the intact ones apart from the others.

    Attributes:
        lines: The intact ones in the order of the file, the first of each kind and number.
        damaged: The others, by their number in the file.
    """

    lines: Sequence[Line]
    damaged: Mapping[int, bytes]

    @cached_property
    def births(self) -> Mapping[int, Birth]:
        """The births that are told, by number; with holes."""
        return {one.number: one.told for one in self.lines if isinstance(one.told, Birth)}

    @cached_property
    def outcomes(self) -> Mapping[int, Outcome]:
        """The outcomes that are told, by number, in the order in which they came."""
        return {one.number: one.told for one in self.lines if not isinstance(one.told, Birth)}

    @property
    def is_whole(self) -> bool:
        """Whether the journal can be read as it is."""
        num_born: int = 0
        for line in self.lines:
            is_next = line.number == num_born
            if is_next != isinstance(line.told, Birth) or line.number > num_born:
                return False
            num_born += is_next
        return not self.damaged


def salvage(folder: Path) -> Salvage:
    """Read whatever of a run's journal is intact."""
    lines: list[Line] = []
    damaged: dict[int, bytes] = {}
    seen: set[tuple[int, bool]] = set()
    shared = Shared()
    for place, raw in enumerate(lines_of(folder / JOURNAL), start=1):
        row = decode(raw)
        try:
            line = None if row is None else _line(place, raw, row, shared)
        except StoreError:  # forged: its checksum is right, and no search has written it
            line = None
        if line is None or (key := (line.number, isinstance(line.told, Birth))) in seen:
            damaged[place] = raw
            continue
        seen.add(key)
        lines.append(line)
    return Salvage(lines, damaged)


def rewrite(folder: Path, found: Salvage, births: Sequence[Birth]) -> int:
    """Write the journal anew with the intact lines of these births; set the others aside.

    Args:
        folder: Of the run.
        found: What is intact.
        births: Those to keep, from the first, with what takes the place of lost ones.

    Returns:
        How many intact lines were set aside, as they belong to births beyond these.
    """
    kept = [line for line in found.lines if line.number < len(births)]
    beyond = {line.place: line.raw for line in found.lines if line.number >= len(births)}
    _set_aside(folder, {**found.damaged, **beyond})
    write(folder / JOURNAL, b"".join(_in_order(kept, births)))
    return len(beyond)


def _line(place: int, raw: bytes, row: Mapping[str, Any], shared: Shared) -> Line:
    number = rows.field(row, "number", rows.whole)
    told = birth_of(row, number, shared) if "birth" in row else outcome_of(row, number)[0]
    return Line(place, raw, number, told)


def _in_order(lines: Sequence[Line], births: Sequence[Birth]) -> list[bytes]:
    """Return lines so that each birth stands before its outcome and before later births."""
    raw = {line.number: line.raw for line in lines if isinstance(line.told, Birth)}
    ordered: list[bytes] = []
    num_born = 0
    for line in lines:
        while num_born <= line.number:
            ordered.append(raw.get(num_born) or birth_line(num_born, births[num_born]))
            num_born += 1
        if not isinstance(line.told, Birth):
            ordered.append(line.raw)
    return ordered


def _set_aside(folder: Path, lines: Mapping[int, bytes]) -> None:
    """Add lines to those that earlier repairs have set aside, each after its number."""
    if not lines:
        return
    path = folder / DAMAGED
    before = path.read_bytes() if path.exists() else b""
    added = [b"line %d:\n%s\n" % (place, raw.rstrip(b"\n")) for place, raw in sorted(lines.items())]
    write(path, before + b"".join(added))
