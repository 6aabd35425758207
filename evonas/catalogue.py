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
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    kind = ""
    for entry in entries():
        if entry.kind != kind:
            if kind:
                table.add_row()
            kind = entry.kind
            table.add_row(f"[underline]{kind}[/underline]")
        text = f"cannot be used: {entry.trouble}" if entry.trouble else entry.about
        beneath = " | ".join(filter(None, (entry.place, entry.source)))
        table.add_row(f"  {entry.name}", f"{escape(text)}\n[dim]{escape(beneath)}[/dim]")
    return table


def _entry(kind: str, point: EntryPoint) -> Entry:
    try:
        cls = load_class(point.value)
    except ConfigError as error:
        return Entry(kind, point.name, point.value, trouble=str(error))
    about = (cls.__doc__ or "").strip().partition("\n")[0]
    return Entry(kind, point.name, point.value, about, source_of(cls))
