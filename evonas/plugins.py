"""From names to plug-ins: by entry point, or as `module:Class`, with fields from a table."""

import dataclasses
import importlib
import json
import re
import types
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from evonas.errors import ConfigError, unknown
from evonas.extras import install_command

T = TypeVar("T")
CODE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
"""What names code: `module:attribute`. Nothing else is imported; see `evonas.trust`."""

_MISSING = object()


def names(contract: type[object]) -> Mapping[str, EntryPoint]:
    """Return what is registered for a contract, by name."""
    return _registered(getattr(contract, "group", ""))


@cache
def _registered(group: str) -> Mapping[str, EntryPoint]:
    """Return what is registered in an entry-point group, by name; read once, it takes 50 ms."""
    return {point.name: point for point in entry_points(group=group)}


def load(contract: type[T], name: str) -> type[T]:
    """Return the plug-in class with an entry-point name, or at `module:Class`.

    Raises:
        ConfigError: if there is none, it cannot be imported, or it does not keep the contract.
    """
    group: str = getattr(contract, "group", "")
    kind = group.removeprefix("evonas.").removesuffix("s").replace("-", " ")
    known = names(contract)
    if name in known:
        found = load_class(known[name].value)
    elif ":" in name:
        found = load_class(name)
    else:
        raise unknown(kind, name, known)
    if not issubclass(found, contract):
        raise ConfigError(f"{name!r} is no {kind}: it must be a subclass of {contract.__name__}")
    return found


def load_class(name: str) -> type[Any]:
    """Return the class at `module:Class`.

    Raises:
        ConfigError: if it cannot be imported, or is no class.
    """
    found = load_attribute(name)
    if not isinstance(found, type):
        raise ConfigError(f"{name!r} is {found!r}; name a class")
    return found


def load_attribute(name: str) -> Any:
    """Return what is at `module:attribute`.

    Raises:
        ConfigError: if it cannot be imported.
    """
    if not CODE.fullmatch(name):
        raise ConfigError(f"{name!r} names no code, should be `module:attribute`")
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        command = install_command(error.name or "")
        hint = "" if command is None else f"; install it with {command}"
        raise ConfigError(f"cannot import {name!r}: {error}{hint}") from error
    except (ImportError, SyntaxError, AttributeError, ValueError) as error:
        raise ConfigError(f"cannot import {name!r}: {error}") from error


def construct(contract: type[T], spec: object, where: str) -> T:
    """Make a plug-in from a name or from a table of `name` and fields.

    Raises:
        ConfigError: naming the key and what it may be.
    """
    if isinstance(spec, str):
        spec = {"name": spec}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise ConfigError(f"{where}: give a name or a table with a name, not {spec!r}")
    table: dict[str, Any] = {str(key): value for key, value in spec.items() if key != "name"}
    return from_table(load(contract, spec["name"]), table, where)


def from_table(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Make a dataclass from a table of its fields, checked and converted by their types.

    Raises:
        ConfigError: naming the key and what it may be.
    """
    assert dataclasses.is_dataclass(cls), f"{cls.__name__} must be a dataclass"
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    hints = get_type_hints(cls)
    for key in table:
        if key not in fields:
            raise unknown(f"key in {where}:", key, fields)
    values = {
        key: _value(hints[key], raw, f"{where}.{key}", fields[key].default)
        for key, raw in table.items()
    }
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
        and name not in values
    ]
    if required:
        raise ConfigError(f"{where} needs a value for {required[0]!r}")
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def with_settings(plugin: T, settings: Mapping[str, Any]) -> T:
    """Return a plug-in with some fields replaced, by dotted path, checked by their types.

    Raises:
        ConfigError: if a path leads to no field or a value does not fit.
    """
    return _with_settings(plugin, settings, "")


def setting(plugin: object, path: str) -> Any:
    """Return the value of a field by dotted path.

    Raises:
        ConfigError: if the path leads to no field.
    """
    return _setting(plugin, path, path)


def _with_settings(plugin: T, settings: Mapping[str, Any], where: str) -> T:
    """Return a plug-in with some fields replaced; errors name them from `where` on."""
    for path, raw in settings.items():
        _ = _setting(plugin, path, f"{where}{path}")
        plugin = _with_setting(plugin, path.split("."), raw, f"{where}{path}")
    return plugin


def _setting(plugin: object, path: str, where: str) -> Any:
    value: Any = plugin
    for name in path.split("."):
        fields = [field.name for field in dataclasses.fields(value)] if _is_table(value) else []
        if name not in fields:
            raise unknown(f"field {where!r}:", name, fields)
        value = getattr(value, name)
    return value


def _with_setting(plugin: T, path: list[str], raw: Any, where: str) -> T:
    name, *rest = path
    old = getattr(plugin, name)
    if rest:
        new = _with_setting(old, rest, raw, where)
    else:
        new = _value(get_type_hints(type(plugin))[name], raw, where, old)
    return dataclasses.replace(plugin, **{name: new})  # pyright: ignore[reportArgumentType]


def _is_table(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _value(hint: Any, raw: Any, where: str, default: object = _MISSING) -> Any:
    """Turn a raw TOML value into what a field's type asks for."""
    choices = get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)
    if (rows := _rows(hint, raw, where)) is not None:
        return rows
    for choice in choices:
        if isinstance(choice, type) and hasattr(choice, "group"):
            return construct(choice, raw, where)
        if isinstance(choice, type) and dataclasses.is_dataclass(choice):
            if not isinstance(raw, Mapping):
                continue
            table = {str(key): value for key, value in raw.items()}
            if isinstance(default, choice):
                return _with_settings(default, table, f"{where}.")
            return from_table(choice, table, where)
    try:
        return TypeAdapter(hint).validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Input should be ")
        raise ConfigError(f"{where} is {raw!r}, should be {reason}") from None
    except TypeError:
        raise ConfigError(f"{where} is {raw!r}, which is no plain value") from None


def _rows(hint: Any, raw: Any, where: str) -> Mapping[str, Any] | None:
    """Turn tables by name into dataclasses by name, where a field's type asks for these."""
    if get_origin(hint) is not Mapping or not isinstance(raw, Mapping):
        return None
    row = get_args(hint)[1]
    if not (isinstance(row, type) and dataclasses.is_dataclass(row)):
        return None
    for name, table in raw.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"{where}.{name} is {table!r}, should be a table")
    return {str(name): from_table(row, table, f"{where}.{name}") for name, table in raw.items()}
