"""What is installed: every registered plug-in by kind, and why one cannot be used."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import final

from rich.markup import escape
from rich.table import Table

from evonas.contracts import source_of
from evonas.errors import ConfigError
from evonas.plugins import load_class

_PREFIX = "evonas."


@final
@dataclass(frozen=True)
class Entry:
    """One registered plug-in.

    Attributes:
        kind: Of plug-in: `trainers`, `spaces`, ..., or a slot of a trainer.
        name: To be written in a run file.
        place: `module:Class`.
        about: The first line of its docstring.
        source: The paper it comes from, if its contract asks for one.
        trouble: Why it cannot be imported, or the empty string.
    """

    kind: str
    name: str
    place: str
    about: str = ""
    source: str = ""
    trouble: str = ""


def entries() -> list[Entry]:
    """Return every registered plug-in, by kind and name."""
    known = entry_points()
    groups = sorted(group for group in known.groups if group.startswith(_PREFIX))
    return [
        _entry(group.removeprefix(_PREFIX), point)
        for group in groups
        for point in sorted(known.select(group=group), key=lambda point: point.name)
    ]


def catalogue() -> Table:
    """Return the table that `evonas plugins` shows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kind", "name", "what it is", "source"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"kind", "name"})
    kind = ""
    for entry in entries():
        if entry.kind != kind and kind:
            table.add_row()
        about = f"cannot be used: {entry.trouble}" if entry.trouble else entry.about
        about = f"{escape(about)}\n[dim]{entry.place}[/dim]"
        table.add_row(
            "" if entry.kind == kind else entry.kind, entry.name, about, escape(entry.source)
        )
        kind = entry.kind
    return table


def _entry(kind: str, point: EntryPoint) -> Entry:
    try:
        cls = load_class(point.value)
    except ConfigError as error:
        return Entry(kind, point.name, point.value, trouble=str(error))
    about = (cls.__doc__ or "").strip().partition("\n")[0]
    return Entry(kind, point.name, point.value, about, source_of(cls))
