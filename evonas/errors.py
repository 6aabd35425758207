"""The errors a user may meet; each message says what was given, what is allowed, what to do."""

import difflib
from collections.abc import Iterable


class EvonasError(Exception):
    """Any error that evonas raises on purpose."""


class ConfigError(EvonasError, ValueError):
    """The run file, an option or a data set cannot be used as given."""


class EditError(EvonasError, ValueError):
    """An edit does not apply to this genome."""


class StoreError(EvonasError):
    """A run folder cannot be read or written."""


class ExportError(EvonasError, ValueError):
    """A trained model cannot be handed out in this format, or would not compute the same there."""


def unknown(kind: str, given: str, allowed: Iterable[str]) -> ConfigError:
    """Return the error for a name that is not one of `allowed`, with the nearest as a hint."""
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"unknown {kind} {given!r}{hint} (known: {', '.join(names) or 'none'})")
