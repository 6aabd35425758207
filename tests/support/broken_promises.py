"""Which promises a plug-in breaks."""

from collections.abc import Sequence

from evonas.testing.check import Check


def broken(checks: Sequence[Check]) -> set[str]:
    """Return the claims that do not hold."""
    found: set[str] = set()
    for check in checks:
        try:
            check.verify()
        except Exception:  # noqa: BLE001 - however it breaks
            found.add(check.claim)
    return found
