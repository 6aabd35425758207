"""JSON as this program writes it and no other: every file of a run folder is read by this.

Nothing is forgiven, since a folder may come from someone else: no key twice, no NaN or infinity, no
text that is no text, nothing so deep or so long that reading it is an attack.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from evonas.errors import StoreError

MAX_BYTES = 2**26
"""Of one file or one line of the journal; a network of ten thousand layers takes a few million."""


def read(path: Path) -> Any:
    """Return what a file holds.

    Raises:
        StoreError: if it cannot be read, or holds anything but strict JSON.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from None
    try:
        return parse(data)
    except StoreError as error:
        raise StoreError(f"{str(path)!r}: {error}") from None


def parse(data: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        StoreError: if it is anything but strict JSON.
    """
    if len(data) > MAX_BYTES:
        raise StoreError(f"it is longer than the {MAX_BYTES} bytes that are read")
    try:
        value = _DECODER.decode(data.decode("utf-8"))
        if b"\\ud" in data or b"\\uD" in data:  # half of a pair is no character
            _ = json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise StoreError("it is too deep") from None
    except ValueError as error:
        raise StoreError(f"it is no JSON that evonas writes: {error}"[:200]) from None
    return value


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return made


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
