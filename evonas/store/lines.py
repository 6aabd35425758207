"""The lines of a journal: JSON objects that carry their own checksum."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evonas import strict
from evonas.errors import StoreError


def encode(line: Mapping[str, Any]) -> bytes:
    """Return an object as a line with its checksum."""
    text = json.dumps(line, separators=(",", ":"), allow_nan=False)
    return f'{text[:-1]},"crc":"{zlib.crc32(text.encode()):08x}"}}\n'.encode()


def decode(raw: bytes) -> dict[str, Any] | None:
    """Return the object without its checksum, or None if the line is torn, damaged or forged."""
    body, mark, check = raw.rpartition(b',"crc":"')
    text = body + b"}"
    if not mark or check != f'{zlib.crc32(text):08x}"}}\n'.encode():
        return None
    try:
        line = strict.parse(text)
    except StoreError:
        return None
    return line if isinstance(line, dict) else None


def lines_of(path: Path) -> list[bytes]:
    """Return a file's lines, ended by nothing but a line feed."""
    with path.open("rb") as file:
        return file.readlines()
