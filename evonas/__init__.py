"""evonas evolves PyTorch models; children inherit the trained weights of their parents."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evonas.api import Found, Member, open_run, search

__all__ = ["Found", "Member", "open_run", "search"]


def __getattr__(name: str) -> Any:
    """Import the API when it is first used: `import evonas` itself needs no torch."""
    if name in __all__:
        from evonas import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module 'evonas' has no attribute {name!r}")
