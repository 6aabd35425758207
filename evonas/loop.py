"""The search, in a straight line: propose, evaluate, append, until the births are used up."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol, final

from evonas import selection
from evonas.candidate import Evaluator
from evonas.config import Run
from evonas.errors import EvonasError
from evonas.executors.executor import Job, Pool, Reported
from evonas.flights import Flights
from evonas.genome import FINAL, Birth, Genome
from evonas.history import Evaluation, History, Individual, Outcome
from evonas.proposals import Proposals
from evonas.setup import Setup, opened, search_info
from evonas.store import Store
from evonas.tracking.tracker import Mirror

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
        except BaseException as error:
            error.add_note(f"births recorded: {len(loop.births)}")
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
        self.run, self.store = run, store
        self.view, self.mirror = view, mirror
        self.births: list[Birth] = []
        self.num_searched = 0
        self.outcomes = dict(store.record.outcomes)
        self.history = History()
        self.proposals = Proposals(run, setup)
        self.flights = Flights(pool, self.outcomes, indivisible=_indivisible(run), told=view.told)
        self.failures_in_a_row = 0
        self.start = time.monotonic() - store.record.elapsed

    def go(self) -> History:
        """Continue from the record until nothing is left to propose or to wait for."""
        self._resume()
        while True:
            while birth := self._next():
                self.store.birth(len(self.births), birth)
                self._born(birth)
                self._launch(len(self.births) - 1)
            if not self.flights:
                break
            self._finish(*self.flights.next_finished())
        return self.history

    def close_mirror(self, seconds: float) -> None:
        """Give the tracking system the front and this long to take in what is waiting."""
        if self.mirror:
            front = selection.front_of(self.history, self.run.objectives, self.run.limits)
            self.view.told(self.mirror.close([one.number for one in front], seconds))

    def _resume(self) -> None:
        """Start where the record ends, with what was in flight then."""
        for birth in self.store.record.births:
            self._born(birth)
        self._advance()
        for number, birth in enumerate(self.store.record.births):
            while not self.proposals.is_ready(number, birth, self.history):  # a line was lost
                self._finish(*self.flights.next_finished())
            if number in self.outcomes:
                self.flights.remember(number, birth, self._parents(number))
            else:
                self._launch(number)
        recorded = self.store.record.outcomes
        self.view.resumed([one for one in self.history if one.number in recorded])

    def _next(self) -> Birth | None:
        return self.proposals.next(self.births, self.history, is_over=self._is_used_up())

    def _is_used_up(self) -> bool:
        hours, births = self.run.hours, self.run.births
        over = hours is not None and time.monotonic() - self.start > hours * 3600
        return over or (births is not None and self.num_searched >= births)

    def _born(self, birth: Birth) -> None:
        self.births.append(birth)
        self.num_searched += birth.operator != FINAL

    def _launch(self, number: int) -> None:
        birth = self.births[number]
        self.view.born(number, birth)
        if reason := self.proposals.refusal(number, birth, self.history):
            self.flights.refuse(number, reason)
            return
        stop_at = self.proposals.stop_at(number, birth, self.history)
        self.flights.start(Job(number, birth, self._parents(number), self.run.deadline, stop_at))

    def _parents(self, number: int) -> list[tuple[Genome, str]]:
        """Return genome and weights of the parents that have weights."""
        parents = map(self.history.member, self.births[number].parents)
        return [
            (parent.birth.genome, parent.outcome.weights)
            for parent in parents
            if isinstance(parent.outcome, Evaluation) and parent.outcome.weights
        ]

    def _finish(self, number: int, outcome: Outcome) -> None:
        """Record an outcome, then let the history grow by what is now complete."""
        self._check(number, outcome)
        self.store.outcome(number, outcome, time.monotonic() - self.start)
        self.outcomes[number] = outcome
        self._advance()
        self.view.finished(Individual(number, self.births[number], outcome))
        for relative in (number, *self.births[number].parents):
            self.births[relative].genome.forget()

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
        for individual in self.history.grow(self.births, self.outcomes, self.run.order):
            if self.mirror:
                self.mirror.finished(individual)


def _indivisible(run: Run) -> str:
    """Say why the search trains no batch in parts; nothing if it may."""
    if not run.trainer.accumulates:
        return f"trainer {type(run.trainer).__name__} does not train batches in parts"
    if run.cohort is not None:  # contrastive and relational losses
        return "batches are not trained in parts in cohorts, whose losses compare their samples"
    return ""
