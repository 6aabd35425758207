"""Keys of a run file that the command line overrides: `--set trainer.epochs=3`."""

import tomllib
from typing import Any

from evonas.errors import ConfigError


def put(table: dict[str, Any], override: str) -> None:
    """Put a value into the table of a run file; text stands for itself where it is no TOML.

    Raises:
        ConfigError: if it is no `a.b=value`, or a key on its way is no table.
    """
    path, mark, text = override.partition("=")
    if not mark or not all(path.split(".")):
        raise ConfigError(f"--set takes key=value, for example trainer.epochs=3, not {override!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = path.split(".")
    for name in parents:
        if isinstance(table.get(name), str):
            table[name] = {"name": table[name]}
        inner: object = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override}: {name!r} is no table")
        table = inner
    table[last] = value
