"""What every plug-in is, whatever its kind: a final, frozen dataclass, documented."""

import dataclasses
import pickle
from typing import TypeVar

from evonas import plugins
from evonas.contracts import source_attribute, source_of
from evonas.errors import ConfigError
from evonas.testing.check import Check, checks_of

T = TypeVar("T")


def example(cls: type[T]) -> T:
    """Return a small instance of a plug-in to check.

    That is what its classmethod `example` returns, if it has one, or the class with its defaults.

    Raises:
        ConfigError: if it has neither.
    """
    make = getattr(cls, "example", None)
    if make is not None:
        return make()
    try:
        return plugins.from_table(cls, {}, cls.__name__)
    except ConfigError as error:
        raise ConfigError(
            f"{error}; to be checked, a plug-in needs defaults for all fields, "
            "or a classmethod `example` that returns a small instance"
        ) from None


def class_checks(plugin: object) -> list[Check]:
    """Return the checks that all kinds share."""
    functions = [
        _the_class_is_final,
        _the_class_is_a_frozen_dataclass,
        _the_docstring_says_what_it_is,
        _a_pickled_copy_is_equal,
    ]
    if source_attribute(type(plugin)):
        functions.append(_a_paper_or_source_is_named)
    return checks_of(plugin, functions)


def _the_class_is_final(plugin: object) -> None:
    name = type(plugin).__name__
    assert getattr(type(plugin), "__final__", False), f"write `@final` above class {name}"


def _the_class_is_a_frozen_dataclass(plugin: object) -> None:
    cls = type(plugin)
    parameters = getattr(cls, "__dataclass_params__", None)
    frozen = dataclasses.is_dataclass(cls) and getattr(parameters, "frozen", False)
    assert frozen, f"write `@dataclass(frozen=True)` above class {cls.__name__}"


def _the_docstring_says_what_it_is(plugin: object) -> None:
    cls = type(plugin)
    text = cls.__doc__ or ""
    written = bool(text) and not text.startswith(f"{cls.__name__}(")  # what dataclass makes up
    assert written, f"give class {cls.__name__} a docstring; `evonas plugins` shows its first line"


def _a_pickled_copy_is_equal(plugin: object) -> None:
    copy = pickle.loads(pickle.dumps(plugin))  # noqa: S301 - our own bytes, made on this line
    assert copy == plugin, f"{copy!r} came out of pickle, {plugin!r} went in"


def _a_paper_or_source_is_named(plugin: object) -> None:
    cls = type(plugin)
    name = source_attribute(cls)
    assert source_of(cls).strip(), f"give class {cls.__name__} a ClassVar `{name}`"
