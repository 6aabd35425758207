"""A check: a sentence that is true of every plug-in of a kind, and what verifies it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, final

B = TypeVar("B")


@final
@dataclass(frozen=True)
class Check:
    """One promise of a contract.

    Attributes:
        claim: The promise, as a sentence.
        verify: Raises an AssertionError that says how the plug-in breaks it.
    """

    claim: str
    verify: Callable[[], None]


def checks_of(bench: B, functions: Iterable[Callable[[B], None]]) -> list[Check]:
    """Return one check a function; the function's name is the claim."""
    return [Check(_sentence(function), partial(function, bench)) for function in functions]


def _sentence(function: Callable[..., None]) -> str:
    return getattr(function, "__name__", "").strip("_").replace("_", " ")
