"""A run folder as somebody else sends it, and what may be wrong with it."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evonas.store import JOURNAL

STRANGER = """
births = 3
lookahead = 1
durability = "flush"
objectives = { error = "min", macs = "min" }
executor = "serial"
tracker = "none"
space = { name = "eena", stem = 4, width = 4, last = 8, blocks = 1 }
controller = { name = "eena", population = 2, controls = 0 }

[trainer]
name = "supervised"
data = "digits"
train_samples = 64
epochs = 1
"""
"""A run file that names no code."""

BIRTH, OUTCOME = 0, 1
"""The journal's lines of the first candidate."""

Change = Callable[[dict[str, Any]], object]


def sealed(text: str) -> bytes:
    """Return a journal line with a checksum that is right, whatever it says."""
    body = text.encode("utf-8", "surrogateescape")
    return body[:-1] + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode()


def read_line(folder: Path, place: int) -> dict[str, Any]:
    """Return what a line of the journal says."""
    line = json.loads((folder / JOURNAL).read_bytes().splitlines()[place])
    del line["crc"]
    return line


def write_line(folder: Path, place: int, text: str) -> None:
    """Put a line in the place of one of the journal's."""
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[place] = sealed(text)
    (folder / JOURNAL).write_bytes(b"".join(lines))


def change(folder: Path, place: int, made: Change) -> None:
    """Change what a line of the journal says."""
    line = read_line(folder, place)
    made(line)
    write_line(folder, place, json.dumps(line, separators=(",", ":")))


def replaced(folder: Path, place: int, old: str, new: str) -> None:
    """Change the text of a line of the journal."""
    text = json.dumps(read_line(folder, place), separators=(",", ":"))
    assert old in text, text
    write_line(folder, place, text.replace(old, new, 1))


def graph(line: dict[str, Any]) -> dict[str, Any]:
    """Return the layer graph of a birth."""
    return line["birth"]["genome"]["architecture"]["net"]


def evaluation(line: dict[str, Any]) -> dict[str, Any]:
    """Return the evaluation of an outcome."""
    return line["outcome"]["evaluation"]


def first(line: dict[str, Any], op: str) -> list[Any]:
    """Return the first layer of an operation."""
    return next(node for node in graph(line)["nodes"] if node[1] == op)


def renamed(line: dict[str, Any], op: str, name: str) -> None:
    """Give the first layer of an operation, and whatever reads it, another name."""
    old = first(line, op)[0]
    for node in graph(line)["nodes"]:
        node[0] = name if node[0] == old else node[0]
        node[2] = [name if source == old else source for source in node[2]]
