"""Outcomes read back from JSON, every value checked."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from evonas import rows, strict
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


def recordable(outcome: Outcome) -> Outcome:
    """Return an outcome as it is read back from where it is written.

    Raises:
        TypeError: if it holds what JSON cannot.
        ValueError: if it could be written, and then not be read.
    """
    if isinstance(outcome, Failure):
        outcome = legible(outcome)
    try:
        return outcome_from_json(strict.parse(json.dumps(outcome.to_json()).encode()))
    except StoreError as error:
        raise ValueError(f"its outcome cannot be recorded: {error}") from None


def legible(failure: Failure) -> Failure:
    """Return a failure in whose words all is text; a file's name, for one, need not be."""
    return replace(failure, message=_text(failure.message), traceback=_text(failure.traceback))


def point_of(value: Any, what: str) -> tuple[int, Mapping[str, float]]:
    """Return a point of a curve: a step and metrics.

    Raises:
        StoreError: if it is none.
    """
    if len(rows.rows(value, what)) != 2:
        raise StoreError(f"{what} has a point of {len(value)} parts, should be 2")
    return rows.whole(value[0], what), rows.numbers(value[1], what)


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
    return tuple(point_of(point, what) for point in rows.rows(value, what))


def _text(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
