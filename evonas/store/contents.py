"""What the lines of a journal may say, whoever wrote them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evonas import rows
from evonas.errors import EvonasError, StoreError
from evonas.genome import Birth
from evonas.genome.shared import Shared
from evonas.history import Evaluation, Outcome
from evonas.outcomes import outcome_from_json


def birth_of(line: Mapping[str, Any], number: int, shared: Shared | None = None) -> Birth:
    """Return the birth with this number, of which a line tells; its parents are older.

    Args:
        line: Of the journal.
        number: What it should be.
        shared: Takes part in the reading of all lines, if several are read.

    Raises:
        StoreError: if no search can have written it.
    """
    try:
        birth = Birth.from_json(rows.field(line, "birth", rows.mapping), shared)
    except EvonasError as error:
        raise StoreError(f"its birth cannot be: {error}") from None
    for parent in birth.parents:
        if parent >= number:
            raise StoreError(f"its parent {parent} is not older than {number}")
    return birth


def outcome_of(line: Mapping[str, Any], number: int) -> tuple[Outcome, float]:
    """Return the outcome of this number, of which a line tells, and the seconds until then.

    Raises:
        StoreError: if no search can have written it.
    """
    outcome = outcome_from_json(rows.field(line, "outcome", rows.mapping))
    clock: Mapping[str, Any] = rows.field(line, "clock", rows.mapping)
    cost = replace(outcome.cost, seconds=rows.field(clock, "seconds", rows.number, 0))
    if (
        isinstance(outcome, Evaluation)
        and outcome.same_as is not None
        and outcome.same_as >= number
    ):
        raise StoreError(f"it is the same as {outcome.same_as}, which is not older than {number}")
    return replace(outcome, cost=cost), float(rows.field(clock, "elapsed", rows.number, 0))
