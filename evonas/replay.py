"""Re-create a candidate from its ancestors: the record is enough to make it again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from evonas import store
from evonas.candidate import Evaluator
from evonas.config import Run
from evonas.errors import EvonasError
from evonas.executors.executor import Job
from evonas.executors.guard import outcome_of
from evonas.history import Evaluation, History
from evonas.teachers import copy_teachers


@final
@dataclass(frozen=True)
class Replay:
    """What came of a replay.

    Attributes:
        equal: Whether the weights are bit for bit the recorded ones.
        text: The same in words.
        evaluation: Of the candidate as re-created.
    """

    equal: bool
    text: str
    evaluation: Evaluation


def ancestors(history: History, number: int) -> list[int]:
    """Return everyone a candidate descends from, itself included, oldest first."""
    found: set[int] = set()
    pending = [number]
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending.extend(history.member(one).birth.parents)
    return sorted(found)


def replay(  # noqa: PLR0913, PLR0917 - a run, which of it, and where to
    run: Run,
    folder: Path,
    history: History,
    number: int,
    scratch: Path,
    told: Callable[[str], None],
) -> Replay:
    """Train a candidate's whole ancestry again in `scratch`, with the recorded seeds.

    Early stopping is not repeated, so a lineage that was stopped early may differ.

    Raises:
        EvonasError: if an ancestor fails this time.
    """
    store.check_prepared(folder)
    prepared = store.load_prepared(folder)
    assert prepared is not None, "a run with births has been prepared"
    (scratch / "weights").mkdir(parents=True)
    store.store_prepared(scratch, prepared)
    if (reference := store.load_reference(folder)) is not None:
        store.store_reference(scratch, reference)
    copy_teachers(folder, scratch)
    evaluate = Evaluator.of(run, scratch)
    made: dict[int, Evaluation] = {}
    line = ancestors(history, number)
    for place, ancestor in enumerate(line, start=1):
        birth, recorded = history.member(ancestor).birth, history.member(ancestor).outcome
        parts = recorded.parts if isinstance(recorded, Evaluation) else 1
        parents = [
            (history.member(parent).birth.genome, made[parent].weights)
            for parent in birth.parents
            if made[parent].weights
        ]
        outcome = outcome_of(evaluate, Job(ancestor, birth, parents, parts=parts), lambda _: None)
        if not isinstance(outcome, Evaluation):
            raise EvonasError(f"ancestor {ancestor} failed ({outcome.kind}): {outcome.message}")
        made[ancestor] = outcome
        told(f"{place}/{len(line)}: candidate {ancestor} ({birth.operator})")
    return _compared(number, history.member(number).outcome, made[number])


def _compared(number: int, recorded: object, again: Evaluation) -> Replay:
    assert isinstance(recorded, Evaluation)
    equal = recorded.weights == again.weights
    verdict = "bit for bit the recorded weights" if equal else "other weights than recorded"
    metrics = ", ".join(
        f"{name} {recorded.metrics[name]:.6g} -> {value:.6g}"
        for name, value in again.metrics.items()
        if name in recorded.metrics
    )
    return Replay(equal, f"candidate {number}: {verdict}; {metrics}", again)
