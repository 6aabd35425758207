"""Checked reading of JSON values: what is not as it should be is named, whatever it is.

A run's folder may come from someone else, so nothing that is read from it may be taken at its word.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from evonas.errors import StoreError

MAX_DEPTH = 32
MAX_NAME = 1000
MAX_WHOLE = 2**64


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a JSON object.

    Raises:
        StoreError: if it is none, as for the functions below.
    """
    if type(value) is not dict:
        raise _wrong(what, value, "an object")
    return value


def rows(value: Any, what: str) -> list[Any]:
    """Return a JSON list."""
    if type(value) is not list:
        raise _wrong(what, value, "a list")
    return value


def text(value: Any, what: str) -> str:
    """Return a string of any length and content."""
    if type(value) is not str:
        raise _wrong(what, value, "a string")
    return value


def name(value: Any, what: str) -> str:
    """Return a string of one line that does nothing to a terminal."""
    if type(value) is not str or len(value) > MAX_NAME or not value.isprintable():
        raise _wrong(what, value, "one line of printable text")
    return value


def names(value: Any, what: str) -> tuple[str, ...]:
    """Return a list of names as a tuple."""
    return tuple(name(one, what) for one in rows(value, what))


def whole(value: Any, what: str, least: int = 0, most: int = MAX_WHOLE) -> int:
    """Return a whole number within bounds; a boolean is none."""
    if type(value) is not int or not least <= value <= most:
        raise _wrong(what, value, f"a whole number from {least} to {most}")
    return value


def number(value: Any, what: str, least: float = -math.inf) -> float:
    """Return a finite number, whole or not, as it is."""
    if type(value) not in {int, float} or not least <= value < math.inf or value == -math.inf:
        raise _wrong(what, value, "a finite number" + (" from 0" if least == 0 else ""))
    return float(value) if abs(value) > MAX_WHOLE else value


def truth(value: Any, what: str) -> bool:
    """Return a boolean."""
    if type(value) is not bool:
        raise _wrong(what, value, "true or false")
    return value


def numbers(value: Any, what: str) -> Mapping[str, float]:
    """Return finite numbers by name."""
    return {
        name(key, what): number(one, f"{what}.{key}") for key, one in mapping(value, what).items()
    }


def plain(value: Any, what: str, depth: int = MAX_DEPTH) -> Any:
    """Return any JSON value that is not too deep, whose numbers are finite and its keys names."""
    match value:
        case None | bool() | str():
            return value
        case int() | float():
            return number(value, what)
        case dict() if depth:
            for key, one in value.items():
                _ = plain(one, f"{what}.{name(key, what)}", depth - 1)
        case list() if depth:
            for one in value:
                _ = plain(one, what, depth - 1)
        case _:
            raise StoreError(f"{what} goes deeper than {MAX_DEPTH} levels")
    return value


def field(row: Mapping[str, Any], key: str, read: Callable[..., Any], *bounds: float) -> Any:
    """Return what `read` makes of a key of an object, which must be there."""
    if key not in row:
        raise StoreError(f"there is no {key!r}")
    return read(row[key], key, *bounds)


def _wrong(what: str, value: object, wanted: str) -> StoreError:
    shown = ascii(value) if isinstance(value, str | int | float) else type(value).__name__
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return StoreError(f"{what} is {shown}, should be {wanted}")
