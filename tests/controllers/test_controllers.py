"""What every controller promises, on a small real space with known outcomes."""

from typing import ClassVar, final

import pytest
from controllers.onemax import (
    ERROR,
    SIZE,
    OneMax,
    best,
    fresh,
    question,
    search,
)

from evonas import seeds
from evonas.controllers.aging import Aging
from evonas.controllers.controller import Controller, Question
from evonas.controllers.eena import Eena
from evonas.controllers.nsga2 import Nsga2
from evonas.controllers.optuna_sampler import OptunaSampler
from evonas.controllers.random_search import RandomSearch
from evonas.errors import ConfigError
from evonas.genome import Birth, canonical
from evonas.history import Evaluation, Failure, History, Individual
from evonas.outcomes import outcome_from_json
from evonas.selection import front_of, hypervolume

EVOLVING = [Eena(population=8), Aging(population=8), Nsga2(population=8)]
EDITING = [*EVOLVING, RandomSearch(), RandomSearch(from_seed=False)]
ALL: list[Controller] = [
    *EDITING,
    OptunaSampler(),
    OptunaSampler(sampler="NSGAIISampler", options={"population_size": 8}),
    OptunaSampler(sampler="RandomSampler"),
]


def label(value: object) -> str:
    return getattr(value, "sampler", type(value).__name__)


def propose(controller: Controller, history: History, number: int, asked: Question) -> Birth:
    rng = seeds.stream(asked.seed, "propose", number)
    return controller.propose(history, asked, number, rng)


def read_back(history: History) -> History:
    """Return the history as a resumed search reads it from its journal."""
    return History(
        [
            Individual(
                one.number,
                Birth.from_json(one.birth.to_json()),
                outcome_from_json(one.outcome.to_json()),
            )
            for one in history
        ]
    )


@pytest.mark.parametrize("controller", ALL, ids=label)
def test_a_birth_depends_on_nothing_but_the_history_that_may_be_known(
    controller: Controller,
) -> None:
    asked, lookahead = question(ERROR, SIZE), 4
    history = search(controller, 40, asked, lookahead=lookahead)
    later_first = read_back(history)
    for number in (39, 9, 25, 1):
        known = later_first.until(max(1, number - lookahead + 1))
        again = propose(controller, known, number, asked)
        assert again.to_json() == history[number].birth.to_json()
        alone = History(list(known))
        assert propose(controller, alone, number, asked).to_json() == again.to_json()


@pytest.mark.parametrize("controller", ALL, ids=label)
def test_births_are_plain_json(controller: Controller) -> None:
    for one in search(controller, 20, question()):
        assert canonical.text(one.birth.to_json())


@pytest.mark.parametrize("controller", ALL, ids=label)
def test_failures_are_never_parents(controller: Controller) -> None:
    history = search(controller, 60, question(), fails=lambda number: number % 3 == 1)
    parents = {parent for one in history for parent in one.birth.parents}
    assert all(isinstance(history[parent].outcome, Evaluation) for parent in parents)


@pytest.mark.parametrize("controller", ALL, ids=label)
def test_children_start_from_scratch_where_the_seed_failed(controller: Controller) -> None:
    history = search(controller, 4, question(), fails=lambda number: number < 4)
    for one in list(history)[1:]:
        assert one.birth.parents == ()
        assert one.birth.seed == seeds.integer(0, "train", one.number)


@pytest.mark.parametrize("controller", EDITING, ids=label)
def test_no_genome_is_tried_a_third_time_after_two_failures(controller: Controller) -> None:
    asked = question(space=OneMax(width=3))
    history = search(controller, 60, asked, fails=lambda number: number > 0)
    keys = [one.birth.genome.key for one in history if isinstance(one.outcome, Failure)]
    seed_key = history[0].birth.genome.key
    assert max(keys.count(key) for key in keys if key != seed_key) == 2


@pytest.mark.parametrize("controller", EDITING, ids=label)
def test_what_was_evaluated_is_not_proposed_again(controller: Controller) -> None:
    history = search(controller, 60, question())
    children = [
        one.birth.genome.key for one in history if one.birth.operator not in {"control", "seed"}
    ]
    assert len(set(children)) == len(children)


@pytest.mark.parametrize("controller", EDITING, ids=label)
def test_an_exhausted_space_gives_control_children(controller: Controller) -> None:
    history = search(controller, 30, question(space=OneMax(width=2)))
    assert history[29].birth.operator in {"control", "random"}


@pytest.mark.parametrize("controller", ALL, ids=label)
def test_siblings_share_the_seed_of_their_training(controller: Controller) -> None:
    for one in list(search(controller, 40, question(seed=7)))[1:]:
        address = one.birth.parents[0] if one.birth.parents else one.number
        assert one.birth.seed == seeds.integer(7, "train", address)


@pytest.mark.parametrize("controller", ALL, ids=label)
def test_the_first_parents_edits_are_a_prefix_of_the_childs(controller: Controller) -> None:
    history = search(controller, 60, question())
    for one in history:
        if one.birth.parents:
            inherited = history[one.birth.parents[0]].birth.genome.edits
            assert one.birth.genome.edits[: len(inherited)] == inherited


@pytest.mark.parametrize("controller", EVOLVING, ids=label)
def test_births_are_named_by_their_edits(controller: Controller) -> None:
    history = search(controller, 60, question())
    for one in history:
        if one.birth.operator in {"raise", "lower"}:
            *before, last = one.birth.genome.edits
            assert one.birth.operator == last.operator
            assert tuple(before) == history[one.birth.parents[0]].birth.genome.edits


@pytest.mark.parametrize(
    ("controller", "goal"),
    [
        (Eena(), 0.05),
        (Aging(), 0.5),
        (Nsga2(), 0.4),
        (RandomSearch(), 0.75),
        (OptunaSampler(), 0.15),
        (OptunaSampler(sampler="NSGAIISampler", options={"population_size": 8}), 0.2),
    ],
    ids=label,
)
def test_every_controller_gets_better_than_its_start(controller: Controller, goal: float) -> None:
    assert best(search(controller, 120, question(), lookahead=4)) < goal


@pytest.mark.parametrize("seed", range(3))
def test_eena_beats_random_search(seed: int) -> None:
    asked = question(seed=seed)
    found = best(search(Eena(), 120, asked, lookahead=4))
    assert found < best(search(RandomSearch(max_edits=24), 120, asked, lookahead=4)) - 0.1


@pytest.mark.parametrize("controller", [Eena(), Nsga2()], ids=label)
def test_selection_finds_a_better_front_than_random_search(controller: Controller) -> None:
    asked = question(ERROR, SIZE)
    assert _volume(search(controller, 150, asked)) > 1.05 * _volume(
        search(RandomSearch(max_edits=24), 150, asked)
    )


def _volume(history: History) -> float:
    objectives = [ERROR, SIZE]
    points = [
        [objective.loss(one.outcome) for objective in objectives]
        for one in front_of(history, objectives)
        if isinstance(one.outcome, Evaluation)
    ]
    return hypervolume(points, [1.0, 300.0])


@final
class Counting(list[Individual]):
    """A log that counts how many individuals are read from it."""

    num_read: ClassVar[int] = 0

    def __getitem__(self, index: object) -> object:  # pyright: ignore[reportIncompatibleMethodOverride]
        found = super().__getitem__(index)  # pyright: ignore[reportArgumentType, reportCallIssue]
        type(self).num_read += len(found) if isinstance(found, list) else 1
        return found


@pytest.mark.parametrize("controller", EDITING, ids=label)
def test_a_proposal_reads_no_more_of_a_longer_history(controller: Controller) -> None:
    asked = question()
    log = Counting(search(controller, 400, asked))
    history = History(log)
    propose(controller, history, 400, asked)
    Counting.num_read = 0
    propose(controller, history, 400, asked)
    assert Counting.num_read < 100


@pytest.mark.parametrize("controller", EDITING, ids=label)
def test_a_space_without_mutations_is_an_error_that_says_so(controller: Controller) -> None:
    asked = question()
    empty = Question(asked.space, {}, asked.objectives, 0)
    history = fresh(search(controller, 1, asked))
    with pytest.raises(ConfigError, match="has no mutations"):
        propose(controller, history, 1, empty)


@pytest.mark.parametrize(
    ("controller", "fields"),
    [
        (Eena, {"population": 0}),
        (Eena, {"worst_leaves": 1.5}),
        (Eena, {"floor": -0.1}),
        (Eena, {"population": 4, "controls": 4}),
        (Eena, {"crossover_every": -1}),
        (Aging, {"tournament": 0}),
        (Nsga2, {"crossover_ratio": 2.0}),
        (RandomSearch, {"max_edits": 0}),
        (OptunaSampler, {"memory": 0}),
    ],
)
def test_fields_that_make_no_sense_are_refused(
    controller: type[Controller], fields: dict[str, float]
) -> None:
    with pytest.raises(ConfigError, match=list(fields)[-1]):
        controller(**fields)
