"""The search, in a straight line: propose, evaluate, append, until the births are used up."""

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol, final

from evonas import seeds, selection
from evonas.candidate import Evaluator
from evonas.config import Run
from evonas.errors import EditError, EvonasError
from evonas.executors.executor import Finished, Job, Pool, Reported
from evonas.genome import FINAL, Birth, Genome, canonical
from evonas.history import Cost, Evaluation, History, Individual, Outcome, over_limits
from evonas.morph.compact import closed
from evonas.setup import Setup, opened, search_info, static_sizes
from evonas.store import Store
from evonas.tracking.tracker import Mirror

PROPOSALS = 20
"""How often a birth is proposed anew when it breaks a limit."""

MIRROR_SECONDS = 60.0
"""How long the end of a search waits for the tracking system."""

ABANDON_SECONDS = 5.0
"""The same when the search is broken off."""


class View(Protocol):
    """Whoever watches a search."""

    def told(self, message: str) -> None:
        """The engine has something to say; nothing if the message is empty."""
        ...

    def resumed(self, individuals: Sequence[Individual]) -> None:
        """The search goes on after these."""
        ...

    def born(self, number: int, birth: Birth) -> None:
        """A candidate has been proposed."""
        ...

    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """A candidate in training has reported."""
        ...

    def finished(self, individual: Individual) -> None:
        """A candidate has come to its end."""
        ...


def search(run: Run, folder: Path, view: View) -> History:
    """Run a search, or what is left of it, in `folder`; return all individuals.

    Raises:
        ConfigError: if the run cannot work as configured; nothing has been trained then.
        StoreError: if the folder cannot be used.
        EvonasError: if the set-up fails in training, or too many candidates fail in a row.
    """
    with ExitStack() as stack:
        store, setup = opened(run, folder, view.told)
        stack.enter_context(closing(store))

        def listen(report: Reported) -> None:
            view.reported(report.number, report.step, report.metrics)

        pool = stack.enter_context(closing(run.executor.start(Evaluator.of(run, folder), listen)))
        info = search_info(run, folder, setup.signatures)
        mirror = run.tracker.start(info) if run.tracker else None
        loop = _Search(run=run, store=store, setup=setup, pool=pool, view=view, mirror=mirror)
        try:
            history = loop.go()
        except BaseException:
            loop.close_mirror(ABANDON_SECONDS)
            raise
        loop.close_mirror(MIRROR_SECONDS)
        return history


@final
class _Search:
    """The loop's variables: births proposed, outcomes in, and the history they make."""

    def __init__(  # noqa: PLR0913 - the six parts of a search
        self,
        *,
        run: Run,
        store: Store,
        setup: Setup,
        pool: Pool,
        view: View,
        mirror: Mirror | None,
    ) -> None:
        self.run, self.store, self.setup = run, store, setup
        self.pool, self.view, self.mirror = pool, view, mirror
        self.births: list[Birth] = []
        self.num_searched = 0
        self.outcomes = dict(store.record.outcomes)
        self.history = History()
        self.in_flight: set[int] = set()
        self.twins: dict[int, list[int]] = {}
        self.paid: dict[str, int] = {}
        self.failures_in_a_row = 0
        self.start = time.monotonic() - store.record.elapsed

    def go(self) -> History:
        """Continue from the record until nothing is left to propose or to wait for."""
        for number, birth in enumerate(self.store.record.births):
            self._born(birth)
            if number in self.outcomes:
                self.paid.setdefault(_identity(birth, self._parents(number)), number)
                self._advance()
            else:
                self.view.born(number, birth)
                self._submit(number)
        self.view.resumed(self.history)
        while True:
            while birth := self._next():
                self.store.birth(len(self.births), birth)
                self._born(birth)
                self.view.born(len(self.births) - 1, birth)
                self._submit(len(self.births) - 1)
            if not self.in_flight:
                break
            self._take(self.pool.next_finished())
        return self.history

    def close_mirror(self, seconds: float) -> None:
        """Give the tracking system the front and this long to take in what is waiting."""
        if self.mirror:
            front = selection.front_of(self.history, self.run.objectives, self.run.limits)
            self.view.told(self.mirror.close([one.number for one in front], seconds))

    def _born(self, birth: Birth) -> None:
        self.births.append(birth)
        self.num_searched += birth.operator != FINAL

    def _next(self) -> Birth | None:
        """Return the next birth if it can be proposed by what is known now."""
        number = len(self.births)
        if not self._used_up():
            known = max(1, number - self.run.lookahead + 1) if number else 0
            return self._propose(number, known) if len(self.history) >= known else None
        return self._final(number)

    def _used_up(self) -> bool:
        hours, births = self.run.hours, self.run.births
        over = hours is not None and time.monotonic() - self.start > hours * 3600
        return over or (births is not None and self.num_searched >= births)

    def _propose(self, number: int, known: int) -> Birth:
        """Propose within the limits; the last proposal stands if all broke one."""
        if number == 0:
            return Birth(self.setup.seed, "seed", (), seeds.integer(self.run.seed, "train", 0))
        history = self.history.until(known)
        for attempt in range(PROPOSALS):
            rng = seeds.stream(self.run.seed, "propose", number, attempt)
            birth = _closed(self.run.controller.propose(history, self.setup.question, number, rng))
            if not self.run.limits or not self._broken(birth):
                break
        return birth  # pyright: ignore[reportPossiblyUnboundVariable]

    def _broken(self, birth: Birth) -> str:
        try:
            sizes = static_sizes(self.run.space, birth.genome, self.setup.signatures)
            return over_limits(sizes, self.run.limits)
        except EditError as error:  # a view that the edited network does not have any more
            return str(error)

    def _final(self, number: int) -> Birth | None:
        """Return the next clone of the front for the last training, once the front is known."""
        last = max(n for n, birth in enumerate(self.births) if birth.operator != FINAL)
        if len(self.history) <= last:
            return None
        searched = self.history.until(last + 1)
        front = selection.front_of(searched, self.run.objectives, self.run.limits)
        place = number - (last + 1)
        if self.run.final is None or place >= min(self.run.final.members, len(front)):
            return None
        parent = front[place]
        genome = parent.birth.genome.with_settings(self.run.final.settings)
        seed = seeds.integer(self.run.seed, "train", parent.number)
        return Birth(genome, FINAL, (parent.number,), seed)

    def _submit(self, number: int) -> None:
        """Evaluate a birth, unless an earlier one is exactly the same evaluation."""
        self.in_flight.add(number)
        identity = _identity(self.births[number], self._parents(number))
        twin = self.paid.setdefault(identity, number)
        if twin == number:
            self.pool.submit(self._job(number))
        elif isinstance(known := self.outcomes.get(twin), Evaluation):
            self._finish(number, _unpaid(known, twin))
        elif known is None:
            self.twins.setdefault(twin, []).append(number)
        else:
            self.pool.submit(self._job(number))

    def _job(self, number: int) -> Job:
        deadline, stop_at = self.run.deadline, self._stop_at(number)
        return Job(number, self.births[number], self._parents(number), deadline, stop_at)

    def _parents(self, number: int) -> list[tuple[Genome, str]]:
        """Return genome and weights of the parents that have weights."""
        return [
            (self.history[parent].birth.genome, outcome.weights)
            for parent in self.births[number].parents
            if isinstance(outcome := self.history[parent].outcome, Evaluation) and outcome.weights
        ]

    def _stop_at(self, number: int) -> dict[int, float]:
        """Return the medians of the first objective by step, as known when `number` was born."""
        rule, first = self.run.stop, self.run.objectives[0]
        if rule is None or self.births[number].operator == FINAL:
            return {}
        known = self.history.until(max(1, number - self.run.lookahead + 1)).evaluated()
        if len(known) < rule.after:
            return {}
        sign = 1 if first.direction == "min" else -1
        steps: dict[int, list[float]] = {}
        for _, evaluation in known:
            for step, metrics in evaluation.curve[rule.warmup :]:
                if first.name in metrics:
                    steps.setdefault(step, []).append(sign * metrics[first.name])
        return {step: statistics.median(values) for step, values in steps.items()}

    def _take(self, event: Finished) -> None:
        self._finish(event.number, event.outcome)
        for twin in self.twins.pop(event.number, []):
            if isinstance(event.outcome, Evaluation):
                self._finish(twin, _unpaid(event.outcome, event.number))
            else:
                self.pool.submit(self._job(twin))

    def _finish(self, number: int, outcome: Outcome) -> None:
        """Record an outcome, then let the history grow by what is now complete."""
        self._check(number, outcome)
        self.store.outcome(number, outcome, time.monotonic() - self.start)
        self.outcomes[number] = outcome
        self.in_flight.discard(number)
        self._advance()
        self.view.finished(Individual(number, self.births[number], outcome))

    def _check(self, number: int, outcome: Outcome) -> None:
        """Stop where going on would only waste time.

        Raises:
            EvonasError: saying what failed.
        """
        if isinstance(outcome, Evaluation):
            self.failures_in_a_row = 0
            return
        self.failures_in_a_row += 1
        nothing_yet = not any(isinstance(one, Evaluation) for one in self.outcomes.values())
        if nothing_yet and (number == 0 or outcome.kind == "error"):
            raise EvonasError(
                f"the first candidate failed ({outcome.kind}): {outcome.message}\n"
                f"{outcome.traceback}".rstrip()
            )
        if self.failures_in_a_row >= self.run.max_failures:
            raise EvonasError(
                f"{self.failures_in_a_row} candidates in a row failed, the last one "
                f"({outcome.kind}): {outcome.message}; the record is kept, the same command goes on"
            )

    def _advance(self) -> None:
        while (number := len(self.history)) < len(self.births) and number in self.outcomes:
            individual = Individual(number, self.births[number], self.outcomes[number])
            self.history.append(individual)
            if self.mirror:
                self.mirror.finished(individual)


def _closed(birth: Birth) -> Birth:
    """Return a birth as small as its pruning genes say, or as it is if they say what cannot be.

    Then the evaluation says so.
    """
    try:
        return replace(birth, genome=closed(birth.genome))
    except EditError:
        return birth


def _identity(birth: Birth, parents: Sequence[tuple[Genome, str]]) -> str:
    """Return what an evaluation depends on, as a hash."""
    edits = [edit.id for edit in birth.genome.edits]
    weights = [digest for _, digest in parents]
    return canonical.digest([birth.genome.key, edits, weights, birth.seed], size=16)


def _unpaid(outcome: Evaluation, twin: int) -> Evaluation:
    same = outcome.same_as if outcome.same_as is not None else twin
    return Evaluation(
        outcome.metrics, Cost(), outcome.weights, outcome.curve, outcome.stopped, same
    )
