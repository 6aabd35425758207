"""Equal rows of many genomes, read once: a child's layers and edits are its parent's but for a few.

Genomes that evolve share what edits left alone. Genomes that are read share it by this, which makes
a long journal faster to read and a small part as large in memory.
"""

from typing import Any, Protocol, Self, TypeVar, final

from evonas.errors import StoreError


class Row(Protocol):
    """What is written as one JSON value; immutable."""

    @classmethod
    def from_json(cls, row: Any) -> Self:
        """Read it, checking everything."""
        ...


T = TypeVar("T", bound=Row)


@final
class Shared:
    """What has been read so far, by its exact content."""

    def __init__(self) -> None:
        self._known: dict[tuple[type, str], Any] = {}

    def read(self, kind: type[T], row: Any) -> T:
        """Return what a row says: the same object for the same row, keys in the same order.

        Raises:
            StoreError: if it cannot be read.
        """
        try:
            key = kind, repr(row)  # unlike ==, it tells 1 from 1.0 and from true
        except RecursionError:
            raise StoreError("it is too deep") from None
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = kind.from_json(row)
        return known
