"""What is born next: a function of the question and of the record so far."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from evonas import seeds, selection
from evonas.config import Run
from evonas.controllers.failed import failures_of
from evonas.errors import EditError
from evonas.genome import FINAL, Birth
from evonas.history import History, over_limits
from evonas.morph.compact import closed
from evonas.setup import Setup, static_sizes

PROPOSALS = 20
"""How often a birth is proposed anew when it breaks a limit, or its genome has failed twice."""


@final
@dataclass(frozen=True)
class Proposals:
    """Proposes the births of a search.

    Attributes:
        run: Its question.
        setup: Where it starts.
    """

    run: Run
    setup: Setup

    def next(self, births: Sequence[Birth], history: History, *, is_over: bool) -> Birth | None:
        """Return the next birth, or None if it cannot be told yet or there is none.

        Args:
            births: All births so far.
            history: What is known of them.
            is_over: Whether nothing is to be searched for any more, so that the front is next.
        """
        number = len(births)
        if is_over:
            return self._final(births, history)
        if len(history) < self._fewest(number):
            return None
        return self._propose(number, self._known(number, history))

    def refusal(self, number: int, birth: Birth, history: History) -> str:
        """Say why a birth is not to be trained, as known when it was born; nothing if it is."""
        if birth.operator == FINAL:
            return ""
        failed = failures_of(self._known(number, history), birth.genome)
        ends = ", ".join(f"#{one.number} {failure.kind}" for one, failure in failed)
        return f"this genome has failed {len(failed)} times: {ends}" if failed else ""

    def stop_at(self, number: int, birth: Birth, history: History) -> dict[int, float]:
        """Return the medians of the first objective by step, as known when `number` was born."""
        rule, first = self.run.stop, self.run.objectives[0]
        if rule is None or birth.operator == FINAL:
            return {}
        known = self._known(number, history).evaluated()
        if len(known) < rule.after:
            return {}
        sign = 1 if first.direction == "min" else -1
        steps: dict[int, list[float]] = {}
        for _, evaluation in known:
            for step, metrics in evaluation.curve[rule.warmup :]:
                if first.name in metrics:
                    steps.setdefault(step, []).append(sign * metrics[first.name])
        return {step: statistics.median(values) for step, values in steps.items()}

    def is_ready(self, number: int, birth: Birth, history: History) -> bool:
        """Return whether all is known that a birth's evaluation depends on."""
        return len(history) >= self._fewest(number) and all(map(history.has, birth.parents))

    def _fewest(self, number: int) -> int:
        """Return how many individuals must be known before a birth is proposed."""
        return max(1, number - self.run.lookahead + 1) if number else 0

    def _known(self, number: int, history: History) -> History:
        """Return the individuals on which a birth depends.

        In the order of births it depends on as few as it waits for, and so not on who is fast.
        """
        return history.until(self._fewest(number)) if self.run.order == "birth" else history

    def _propose(self, number: int, history: History) -> Birth:
        """Propose what may be trained; the last proposal stands if none may."""
        if number == 0:
            return Birth(self.setup.seed, "seed", (), seeds.integer(self.run.seed, "train", 0))
        for attempt in range(PROPOSALS):
            rng = seeds.stream(self.run.seed, "propose", number, attempt)
            birth = _closed(self.run.controller.propose(history, self.setup.question, number, rng))
            if not failures_of(history, birth.genome) and not self._broken(birth):
                break
        return birth  # pyright: ignore[reportPossiblyUnboundVariable]

    def _broken(self, birth: Birth) -> str:
        if not self.run.limits:
            return ""
        try:
            sizes = static_sizes(self.run.space, birth.genome, self.setup.signatures)
            return over_limits(sizes, self.run.limits)
        except EditError as error:  # a view that the edited network does not have any more
            return str(error)

    def _final(self, births: Sequence[Birth], history: History) -> Birth | None:
        """Return the next clone of the front for the last training, once the front is known."""
        last = max(n for n, birth in enumerate(births) if birth.operator != FINAL)
        if len(history) <= last:
            return None
        searched = history.until(last + 1)
        front = selection.front_of(searched, self.run.objectives, self.run.limits)
        place = len(births) - (last + 1)
        if self.run.final is None or place >= min(self.run.final.members, len(front)):
            return None
        parent = front[place]
        genome = parent.birth.genome.with_settings(self.run.final.settings)
        seed = seeds.integer(self.run.seed, "train", parent.number)
        return Birth(genome, FINAL, (parent.number,), seed)


def _closed(birth: Birth) -> Birth:
    """Return a birth as small as its pruning genes say, or as it is if they say what cannot be.

    Then the evaluation says so.
    """
    try:
        return replace(birth, genome=closed(birth.genome))
    except EditError:
        return birth
