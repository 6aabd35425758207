"""One canonical text for a JSON value, and short content hashes of it."""

import hashlib
import json
from typing import Any

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def text(value: Any) -> str:
    """Return the canonical JSON text: sorted keys, no spaces, no NaN.

    >>> text({"b": 1, "a": [1.0, None]})
    '{"a":[1.0,null],"b":1}'
    """
    return _ENCODER.encode(value)


def digest(value: Any, size: int = 8) -> str:
    """Return the hex BLAKE2s digest of `value`, `size` bytes long."""
    return digest_of(text(value), size=size)


def digest_of(*lines: str, size: int = 8) -> str:
    """Return the hex BLAKE2s digest of lines of text, `size` bytes long."""
    return hashlib.blake2s("\n".join(lines).encode(), digest_size=size).hexdigest()
