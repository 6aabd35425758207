"""From a name to environments: gymnasium's, and why there may be none."""

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import gymnasium
from gymnasium.error import UnregisteredEnv
from gymnasium.vector import AutoresetMode, VectorEnv

from evonas import extras
from evonas.errors import ConfigError

_ATARI = "ALE/"


def vector(name: str, number: int, options: Mapping[str, Any]) -> VectorEnv:
    """Make environments side by side, in this process and thread.

    Raises:
        ConfigError: if there are none of this name, or they cannot be made.
    """
    try:
        if is_atari(name):
            gymnasium.register_envs(importlib.import_module("ale_py"))
            return gymnasium.make_vec(
                name,
                num_envs=number,
                vectorization_mode="vector_entry_point",
                autoreset_mode=AutoresetMode.SAME_STEP,
                num_threads=1,
                **options,
            )
        return gymnasium.make_vec(
            name,
            num_envs=number,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
            **options,
        )
    except UnregisteredEnv as error:
        raise _unknown(name, error) from error
    except Exception as error:
        raise ConfigError(
            f"cannot make the environment {name!r}: {first_line(error)}{_hint(error)}"
        ) from error


def is_atari(name: str) -> bool:
    """Return whether it is one of those that step side by side by themselves, without gymnasium."""
    return name.startswith(_ATARI)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or what it is."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _unknown(name: str, error: UnregisteredEnv) -> ConfigError:
    """Return the error for a name that is not registered, with the nearest that is."""
    near = get_close_matches(name, gymnasium.registry, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return ConfigError(
        f"unknown environment {name!r}{hint} ({first_line(error)} `gymnasium.pprint_registry()`"
        " lists those there are; one that a module registers is 'module:Name-v0')"
    )


def _hint(error: BaseException) -> str:
    """Return how to install a module whose absence is the reason of an error, or of its reason."""
    while not isinstance(error, ModuleNotFoundError):
        if error.__cause__ is None:
            return ""
        error = error.__cause__
    command = extras.install_command(error.name or "")
    return "" if command is None else f"; install it with {command}"
