"""Settings genes: any field of a trainer as an Optuna distribution."""

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from evonas.errors import ConfigError, unknown
from evonas.seeds import Rng

SPREAD = 0.1
"""Standard deviation of a jitter, as a share of the gene's range."""

_NUMBER_KEYS = ("low", "high", "log", "step")


def gene_from_table(path: str, table: Mapping[str, Any]) -> BaseDistribution:
    """Read the gene of the trainer's field `path` from a table of the run file.

    `{ low, high, log, step }` is a range, of integers if all its numbers are; `{ choices }` a list.

    Raises:
        ConfigError: if the table is neither, or holds no value.
    """
    known = ("choices",) if "choices" in table else _NUMBER_KEYS
    for key in table:
        if key not in known:
            raise unknown(f"key of the gene {path!r}", key, known)
    try:
        return _choice(table["choices"]) if "choices" in table else _range(table)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise ConfigError(
            f"the gene {path!r} is {dict(table)!r}: {reason}; give numbers low < high "
            "(and log = true or a step), or choices = [...]"
        ) from None


def holds(gene: BaseDistribution, value: Any) -> bool:
    """Return whether the gene's range has this value."""
    if isinstance(gene, CategoricalDistribution):
        return any(type(one) is type(value) and one == value for one in gene.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isclose(_snapped(_numeric(gene), value), value, rel_tol=1e-9)


def draw(gene: BaseDistribution, rng: Rng) -> Any:
    """Return a value drawn evenly from the gene's range; on a log scale if it has one."""
    if isinstance(gene, CategoricalDistribution):
        return gene.choices[int(rng.integers(len(gene.choices)))]
    return _from_unit(_numeric(gene), float(rng.random()))


def jitter(gene: BaseDistribution, value: Any, rng: Rng) -> Any:
    """Return a value near `value` but not `value`, or `value` if the gene has no other.

    Numbers move by a normal step on the gene's scale, at least to the next value; a choice becomes
    another one.
    """
    if gene.single():
        return value
    if isinstance(gene, CategoricalDistribution):
        others = [choice for choice in gene.choices if choice != value]
        return others[int(rng.integers(len(others)))]
    numeric = _numeric(gene)
    move = float(rng.normal(0.0, SPREAD))
    near = _from_unit(numeric, _reflected(_to_unit(numeric, value) + move))
    return near if near != value else _neighbour(numeric, value, up=move > 0)


def _choice(choices: Any) -> CategoricalDistribution:
    if not isinstance(choices, list) or not choices:
        raise TypeError("choices must be a list with at least one value")
    if strange := [one for one in choices if not isinstance(one, str | int | float | None)]:
        raise TypeError(f"{strange[0]!r} is no string, number, true or false")
    return CategoricalDistribution(choices)


def _range(table: Mapping[str, Any]) -> FloatDistribution | IntDistribution:
    numbers = [table["low"], table["high"], *([table["step"]] if "step" in table else [])]
    if strange := [
        one for one in numbers if isinstance(one, bool) or not isinstance(one, int | float)
    ]:
        raise TypeError(f"{strange[0]!r} is no number")
    if not all(math.isfinite(one) for one in numbers):
        raise ValueError("its bounds are not finite")
    if all(isinstance(one, int) for one in numbers):
        return IntDistribution(**table)
    return FloatDistribution(**table)


def _numeric(gene: BaseDistribution) -> FloatDistribution | IntDistribution:
    assert isinstance(gene, FloatDistribution | IntDistribution)
    return gene


def _to_unit(gene: FloatDistribution | IntDistribution, value: float) -> float:
    low, high, value = (math.log(x) if gene.log else x for x in (gene.low, gene.high, value))
    return (value - low) / (high - low)


def _from_unit(gene: FloatDistribution | IntDistribution, share: float) -> float | int:
    low, high = (math.log(x) if gene.log else x for x in (gene.low, gene.high))
    value = low + share * (high - low)
    return _snapped(gene, math.exp(value) if gene.log else value)


def _snapped(gene: FloatDistribution | IntDistribution, value: float) -> float | int:
    """Return the nearest value that the gene allows."""
    if gene.step:
        value = gene.low + round((value - gene.low) / gene.step) * gene.step
    value = min(max(value, gene.low), gene.high)
    return int(value) if isinstance(gene, IntDistribution) else value


def _reflected(share: float) -> float:
    """Return `share` mirrored at 0 and 1 until it lies between, so that edges do not attract."""
    share = abs(share) % 2.0
    return 2.0 - share if share > 1.0 else share


def _neighbour(gene: FloatDistribution | IntDistribution, value: float, *, up: bool) -> float | int:
    """Return the next value on one side, or on the other where this side has none."""
    step = gene.step or (gene.high - gene.low) * SPREAD
    there = _snapped(gene, value + step if up else value - step)
    return there if there != value else _snapped(gene, value - step if up else value + step)
