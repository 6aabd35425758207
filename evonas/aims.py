"""What a run asks for: the objectives and limits of its run file."""

from collections.abc import Iterable, Mapping
from typing import Any

from evonas.errors import ConfigError, unknown
from evonas.history import Limit, Objective
from evonas.measure import MEASURES
from evonas.trainer import Trainer

Table = Mapping[str, Any]

OF_VIEW = "@"
"""Stands between what is measured and the view of a cohort of which it is: `error@shallow`."""


def objectives_of(table: Table, trainer: Trainer, *, of_views: bool) -> tuple[Objective, ...]:
    """Read the table `[objectives]`.

    Args:
        table: The table.
        trainer: Whose metrics they may be.
        of_views: Whether there may be some of views; which there are is known with the seed.

    Raises:
        ConfigError: naming the objective, and what it may be.
    """
    allowed = {**trainer.metrics, **dict.fromkeys(MEASURES, "min")}
    if not table:
        first = next(iter(trainer.metrics))
        raise ConfigError(f'there are no objectives; write for example {{ {first} = "min" }}')
    for name, direction in table.items():
        if (name.partition(OF_VIEW)[0] if of_views else name) not in allowed:
            raise unknown("objective", name, allowed)
        if direction not in ("min", "max"):
            raise ConfigError(f'objective {name} is {direction!r}, should be "min" or "max"')
    return tuple(Objective(name, direction) for name, direction in table.items())


def limits_of(table: Table, *, of_views: bool) -> tuple[Limit, ...]:
    """Read the table `[limits]`; see `objectives_of`.

    Raises:
        ConfigError: naming the limit, and what it may be.
    """
    for name, maximum in table.items():
        if (name.partition(OF_VIEW)[0] if of_views else name) not in MEASURES:
            raise unknown("limit", name, MEASURES)
        if type(maximum) not in {int, float} or not maximum > 0:
            raise ConfigError(f"limit {name} is {maximum!r}, should be a number greater than 0")
    return tuple(Limit(name, float(maximum)) for name, maximum in table.items())


def check_views(aims: Iterable[Objective | Limit], views: Iterable[str]) -> None:
    """Check that every view that is judged is one that is handed over.

    Raises:
        ConfigError: naming it.
    """
    known = set(views)
    for aim in aims:
        _, mark, view = aim.name.partition(OF_VIEW)
        if mark and view not in known:
            raise unknown(f"view in {aim.name!r}:", view, known)
