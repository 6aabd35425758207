"""Finding the suite of a plug-in, and running it."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evonas.contracts import CONTRACTS
from evonas.errors import ConfigError, unknown
from evonas.plugins import load, load_class
from evonas.testing.aggregations import aggregation_checks
from evonas.testing.check import Check
from evonas.testing.classes import example
from evonas.testing.cohort_presets import cohort_preset_checks
from evonas.testing.controllers import controller_checks
from evonas.testing.executors import executor_checks
from evonas.testing.mutations import mutation_checks
from evonas.testing.presets import preset_checks
from evonas.testing.samplers import sampler_checks
from evonas.testing.spaces import space_checks
from evonas.testing.trackers import tracker_checks
from evonas.testing.trainers import trainer_checks
from evonas.testing.transfers import transfer_checks

_SUITES: Mapping[str, Callable[[Any], list[Check]]] = {
    "spaces": space_checks,
    "trainers": trainer_checks,
    "mutations": mutation_checks,
    "presets": preset_checks,
    "cohorts": cohort_preset_checks,
    "transfer": transfer_checks,
    "aggregators": aggregation_checks,
    "samplers": sampler_checks,
    "controllers": controller_checks,
    "executors": executor_checks,
    "trackers": tracker_checks,
}


def checks(plugin: type[Any]) -> Sequence[Check]:
    """Return the checks of a plug-in class; nothing is trained before one of them is verified.

    Raises:
        ConfigError: if the class keeps no contract, or no instance of it can be made.
    """
    return _SUITES[_kind(plugin)](example(plugin))


def check_plugin(name: str) -> tuple[list[str], bool]:
    """Run the suite of `module:Class` or `KIND/NAME`; return a line a check, and whether all hold.

    Raises:
        ConfigError: if there is no such plug-in.
    """
    plugin = _named(name)
    lines = [f"{_kind(plugin).removesuffix('s')} {plugin.__name__}: {_first_line(plugin)}"]
    failures = 0
    found = checks(plugin)
    for check in found:
        trouble = _trouble(check)
        failures += bool(trouble)
        lines.append(f"  FAIL  {check.claim}: {trouble}" if trouble else f"  ok    {check.claim}")
    lines.append(f"{failures} of {len(found)} checks failed" if failures else "all checks hold")
    return lines, not failures


def _named(name: str) -> type[Any]:
    kind, slash, entry = name.partition("/")
    if not slash:
        if ":" in name:
            return load_class(name)
        raise ConfigError(
            f"{name!r} names no plug-in; give `module:Class`, or KIND/NAME such as trainers/"
            "supervised (`evonas plugins` lists them)"
        )
    if kind not in CONTRACTS:
        raise unknown("kind of plug-in", kind, CONTRACTS)
    return load(CONTRACTS[kind], entry)


def _kind(plugin: type[Any]) -> str:
    for kind, contract in CONTRACTS.items():
        if issubclass(plugin, contract):
            return kind
    wanted = ", ".join(contract.__name__ for contract in CONTRACTS.values())
    raise ConfigError(f"{plugin.__name__} is no plug-in: derive it from one of {wanted}")


def _first_line(plugin: type[Any]) -> str:
    return (plugin.__doc__ or "no docstring").strip().splitlines()[0]


def _trouble(check: Check) -> str:
    """Return how a check fails in one line, or nothing."""
    try:
        check.verify()
    except AssertionError as error:
        return str(error) or f"an assertion failed {_place(error)}"
    except Exception as error:  # noqa: BLE001 - whatever a plug-in raises is what it is told
        return f"{type(error).__name__}: {error} {_place(error)}"
    return ""


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"({last.filename}:{last.lineno})"
