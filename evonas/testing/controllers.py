"""The controller contract: pure, blind to what it is not shown, valid births, failures survived."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

from evonas import seeds
from evonas.controllers.controller import Controller, Question
from evonas.errors import EditError
from evonas.genome import Birth, Genome
from evonas.history import Cost, Evaluation, Failure, History, Objective, Order, Outcome
from evonas.networks import Signatures
from evonas.space import SearchSpace
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.sandbox import smallest_space

_BIRTHS, _LOOKAHEAD = 30, 4
_SETTINGS: tuple[tuple[Objective, ...], ...] = (
    (Objective("error", "min"),),
    (Objective("accuracy", "max"),),
    (Objective("error", "min"), Objective("layers", "min")),
)


@final
@dataclass(frozen=True)
class _Bench:
    """A controller, and searches by it in which outcomes are a function of the genome."""

    controller: Controller

    @cached_property
    def place(self) -> tuple[SearchSpace, Signatures]:
        return smallest_space()

    def question(self, objectives: tuple[Objective, ...] = _SETTINGS[2]) -> Question:
        space, _ = self.place
        return Question(space, space.mutations(), objectives, seed=0)

    def searched(
        self,
        objectives: tuple[Objective, ...] = _SETTINGS[2],
        outcome: Callable[[int, Genome], Outcome] | None = None,
        order: Order = "birth",
    ) -> "_Searched":
        """Return a small search, with look-ahead; of those in flight, any one finishes next."""
        space, signatures = self.place
        question = self.question(objectives)
        searched = _Searched()
        births = [Birth(space.seed(signatures), "seed", (), 0)]
        outcomes: dict[int, Outcome] = {}
        while len(outcomes) < _BIRTHS:
            flying = [number for number in range(len(births)) if number not in outcomes]
            number = flying[seeds.integer(0, "finish", len(outcomes)) % len(flying)]
            outcomes[number] = (outcome or _outcome)(number, births[number].genome)
            searched.history.grow(births, outcomes, order)
            while len(births) < _BIRTHS and len(searched.history) >= _fewest(len(births)):
                length = _fewest(len(births)) if order == "birth" else len(searched.history)
                searched.shown[len(births)] = length
                births.append(self.born(searched.history.until(length), question, len(births)))
        return searched

    def born(self, history: History, question: Question, number: int) -> Birth:
        """Return the birth with a number, drawn as in a search."""
        draws = seeds.stream(0, "propose", number, 0)
        return self.controller.propose(history, question, number, draws)

    @cached_property
    def searches(self) -> "Sequence[_Searched]":
        return [self.searched(order="birth"), self.searched(order="finish")]


@final
@dataclass(frozen=True)
class _Searched:
    """A search, and by number of how many individuals the births were proposed."""

    history: History = field(default_factory=History)
    shown: dict[int, int] = field(default_factory=dict)


def _fewest(number: int) -> int:
    """Return how many individuals must be known before the birth with this number."""
    return max(1, number - _LOOKAHEAD + 1)


def controller_checks(controller: Controller) -> list[Check]:
    """Return the checks of a controller."""
    functions = [
        _it_answers_one_objective_and_several,
        _the_same_history_gives_the_same_birth,
        _what_it_was_asked_before_changes_nothing,
        _it_sees_no_further_than_it_is_shown,
        _the_history_stays_as_it_was,
        _parents_were_known_and_evaluated,
        _the_edits_of_the_first_parent_come_first,
        _the_edits_lead_from_the_first_parent_to_the_genome,
        _births_survive_json,
        _the_search_moves_away_from_the_seed,
        _it_survives_failures,
    ]
    return [*class_checks(controller), *checks_of(_Bench(controller), functions)]


def _outcome(number: int, genome: Genome) -> Outcome:
    """Return an outcome that depends on the genome alone; some candidates fail."""
    share = seeds.integer(0, "error", genome.key) / 2**63
    if number and share > 0.9:
        return Failure("diverged", "the loss is not finite")
    layers = sum(len(graph.nodes) for graph in genome.architecture.values())
    error = 0.1 + share / math.log2(2 + layers)
    metrics = {"error": error, "accuracy": 1.0 - error, "layers": float(layers)}
    cost = Cost(samples=100, macs=1e6 * layers)
    return Evaluation(metrics, cost, weights=f"{number:064x}", curve=((1, metrics),))


def _it_answers_one_objective_and_several(bench: _Bench) -> None:
    for objectives in _SETTINGS:
        assert len(bench.searched(objectives).history) == _BIRTHS


def _the_same_history_gives_the_same_birth(bench: _Bench) -> None:
    first, again = (_births(bench.searched().history) for _ in range(2))
    for number, (one, other) in enumerate(zip(first, again, strict=True)):
        assert one == other, f"birth {number} of two equal searches differs"


def _what_it_was_asked_before_changes_nothing(bench: _Bench) -> None:
    for searched in bench.searches:
        for number in range(1, _BIRTHS, 5):
            cold = History(list(searched.history)[: searched.shown[number]])
            birth = bench.born(cold, bench.question(), number)
            assert _text(birth) == _text(searched.history.member(number).birth), (
                f"asked for birth {number} alone, it gives another one than in the course of a "
                "search; derive everything from the history"
            )


def _it_sees_no_further_than_it_is_shown(bench: _Bench) -> None:
    for searched in bench.searches:
        for number in range(_BIRTHS - 1, 0, -6):
            cut = searched.history.until(searched.shown[number])
            birth = bench.born(cut, bench.question(), number)
            assert _text(birth) == _text(searched.history.member(number).birth), (
                f"birth {number} changes with individuals after the first {len(cut)}, "
                "which are not in its history"
            )


def _the_history_stays_as_it_was(bench: _Bench) -> None:
    history = bench.searches[0].history
    before = _births(history)
    bench.born(history, bench.question(), _BIRTHS)
    assert _births(history) == before, "`propose` changed the history"


def _parents_were_known_and_evaluated(bench: _Bench) -> None:
    for searched in bench.searches:
        for one in searched.history:
            shown = searched.history.until(searched.shown.get(one.number, 0))
            for parent in one.birth.parents:
                assert shown.has(parent), (
                    f"birth {one.number} has parent {parent}, which it was not shown"
                )
                failed = isinstance(shown.member(parent).outcome, Failure)
                assert not failed, f"birth {one.number} descends from {parent}, which failed"


def _the_edits_of_the_first_parent_come_first(bench: _Bench) -> None:
    for history in (searched.history for searched in bench.searches):
        for one in history:
            for parent in one.birth.parents[:1]:
                past = history.member(parent).birth.genome.edits
                assert one.birth.genome.edits[: len(past)] == past, (
                    f"birth {one.number} does not begin with the edits of its first parent {parent}"
                )


def _the_edits_lead_from_the_first_parent_to_the_genome(bench: _Bench) -> None:
    mutations, history = bench.question().mutations, bench.searches[0].history
    for one in history:
        genome = history.member(one.birth.parents[0] if one.birth.parents else 0).birth.genome
        for edit in one.birth.genome.edits[len(genome.edits) :]:
            assert edit.operator in mutations, f"birth {one.number}: no mutation {edit.operator!r}"
            try:
                genome = mutations[edit.operator].apply(genome, edit)
            except EditError as error:
                raise AssertionError(f"birth {one.number} cannot be replayed: {error}") from error
        assert genome.key == one.birth.genome.key, f"birth {one.number} is not what its edits make"


def _births_survive_json(bench: _Bench) -> None:
    for one in bench.searches[0].history:
        copy = Birth.from_json(json.loads(json.dumps(one.birth.to_json())))
        assert _text(copy) == _text(one.birth), f"birth {one.number} changes in JSON"
        assert one.birth.operator, f"birth {one.number} does not say what made it"


def _the_search_moves_away_from_the_seed(bench: _Bench) -> None:
    keys = {one.birth.genome.key for one in bench.searches[0].history}
    assert len(keys) >= _BIRTHS // 3, f"{_BIRTHS} births have {len(keys)} different genomes"


def _it_survives_failures(bench: _Bench) -> None:
    def all_but_the_seed(number: int, genome: Genome) -> Outcome:
        return _outcome(0, genome) if number == 0 else Failure("memory", "out of memory")

    def every_other(number: int, genome: Genome) -> Outcome:
        return _outcome(0, genome) if number % 2 == 0 else Failure("timeout", "too slow")

    for outcome in (all_but_the_seed, every_other):
        assert len(bench.searched(outcome=outcome).history) == _BIRTHS


def _births(history: History) -> list[str]:
    return [_text(one.birth) for one in history]


def _text(birth: Birth) -> str:
    return json.dumps(birth.to_json(), sort_keys=True)
