"""Outcomes read back from JSON, every value checked."""

import re
from collections.abc import Mapping
from typing import Any, get_args

from evonas import rows
from evonas.errors import StoreError
from evonas.history import Cost, Curve, Evaluation, Failure, FailureKind, Outcome

_HASH = re.compile(r"[0-9a-f]{64}")


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    """Read what `Evaluation.to_json` or `Failure.to_json` wrote.

    Raises:
        StoreError: if they cannot have written this.
    """
    if "failure" in data:
        row = rows.mapping(data["failure"], "failure")
        return Failure(
            kind=rows.field(row, "kind", _kind),
            message=rows.field(row, "message", rows.text),
            traceback=rows.field(row, "traceback", rows.text),
            cost=rows.field(row, "cost", _cost),
            curve=_curve(row.get("curve", []), "curve"),
        )
    row: Mapping[str, Any] = rows.field(data, "evaluation", rows.mapping)
    same_as = row.get("same_as")
    return Evaluation(
        metrics=rows.field(row, "metrics", rows.numbers),
        cost=rows.field(row, "cost", _cost),
        weights=rows.field(row, "weights", weights_name),
        curve=rows.field(row, "curve", _curve),
        stopped=rows.field(row, "stopped", rows.truth),
        same_as=None if same_as is None else rows.whole(same_as, "same_as"),
        parts=rows.whole(row.get("parts", 1), "parts", 1),
    )


def weights_name(value: Any, what: str) -> str:
    """Return the hash by which a state is stored, or the empty string for none.

    Raises:
        StoreError: if it is no hash: it becomes part of a path.
    """
    if value != "" and not (type(value) is str and _HASH.fullmatch(value)):
        raise StoreError(f"{what} is {ascii(value)[:80]}, should be 64 hexadecimal digits")
    return value


def _kind(value: Any, what: str) -> FailureKind:
    if value not in get_args(FailureKind):
        known = ", ".join(get_args(FailureKind))
        raise StoreError(f"{what} is {ascii(value)[:80]}, should be one of {known}")
    return value


def _cost(value: Any, what: str) -> Cost:
    row = rows.mapping(value, what)
    samples = rows.field(row, "samples", rows.whole)
    return Cost(
        samples, rows.field(row, "macs", rows.number, 0), rows.field(row, "seconds", rows.number, 0)
    )


def _curve(value: Any, what: str) -> Curve:
    points: list[tuple[int, Mapping[str, float]]] = []
    for point in rows.rows(value, what):
        if len(rows.rows(point, what)) != 2:
            raise StoreError(f"{what} has a point of {len(point)} parts, should be 2")
        points.append((rows.whole(point[0], what), rows.numbers(point[1], what)))
    return tuple(points)
