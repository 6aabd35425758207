"""Births of a search that prunes: whose weights, whose genes, in which order, and closed."""

from dataclasses import replace
from typing import Any

import pytest
from support.pruning_search import Hard

from evonas import seeds
from evonas.controllers.aging import Aging
from evonas.controllers.controller import Controller, Question
from evonas.controllers.eena import Eena
from evonas.controllers.nsga2 import Nsga2
from evonas.controllers.pruned import Pruned
from evonas.controllers.random_search import RandomSearch
from evonas.controllers.variation import Breeder
from evonas.genome import Birth, Edit, canonical
from evonas.genome.pruning import PruningGenes
from evonas.history import Cost, Evaluation, History, Individual, Objective
from evonas.morph.compact import COMPACT, closed, opened, pending
from evonas.morph.prune_operators import mutations_for
from evonas.morph.prune_options import PruningOptions, Target
from evonas.networks import Signature
from evonas_spaces.mlp import Mlp

SIGNATURES = {"net": Signature((2,), (1,))}
SPACE = Mlp(hidden=12, layers=2, operators=("widen", "insert-layer"))
OPTIONS = PruningOptions(
    schedules=(Hard().schedule(), Hard(begin=0.5).schedule()),
    target=Target("parameters", 60.0, 120.0),
)
CONTROLLERS = [
    Eena(population=6),
    Nsga2(population=6),
    Aging(population=6),
    RandomSearch(max_edits=3),
]


def question(options: PruningOptions | None = OPTIONS) -> Question:
    genes = {} if options is None else mutations_for(options)
    mutations = {**SPACE.mutations(), **genes}
    return Question(SPACE, mutations, (Objective("error", "min"),), 0, options)


def judged(number: int, birth: Birth) -> Individual:
    error = seeds.integer(0, "error", birth.genome.key) / 2**63
    outcome = Evaluation({"error": error}, Cost(100, 1e6), weights=f"{number:064x}")
    return Individual(number, birth, outcome)


def started(*births: Birth) -> History:
    seed = Birth(SPACE.seed(SIGNATURES), "seed", (), seeds.integer(0, "train", 0))
    return History([judged(number, birth) for number, birth in enumerate([seed, *births])])


def breeder(history: History, asked: Question, number: int = 0) -> Breeder:
    return Breeder(history, asked, seeds.stream(0, "propose", number))


def bred(
    history: History,
    parent: int,
    *only: str,
    num_edits: int = 1,
    number: int = 0,
    options: PruningOptions = OPTIONS,
) -> Birth:
    """Return a mutant of a parent by some operators alone."""
    asked = question(options)
    chances = {name: (name in only) / len(only) for name in asked.mutations}
    maker = breeder(history, asked, number)
    return maker.mutant(history[parent], num_edits=num_edits, chances=chances)


def own(birth: Birth, history: History) -> tuple[Edit, ...]:
    return birth.genome.edits[len(history[birth.parents[0]].birth.genome.edits) :]


def operators(birth: Birth, history: History) -> list[str]:
    return [edit.operator for edit in own(birth, history)]


@pytest.fixture
def pruned() -> History:
    """The seed; 1 is pruned from it; 2 is pruned from it and then widened; 3 widens 1."""
    history = started()
    history.append(judged(1, bred(history, 0, "prune")))
    history.append(judged(2, bred(history, 0, "prune", "widen", num_edits=4, number=5)))
    assert set(operators(history[2].birth, history)) == {"prune", "widen", COMPACT}
    history.append(judged(3, bred(history, 1, "widen")))
    return history


def search(controller: Controller, num_births: int) -> History:
    history, asked = started(), question()
    for number in range(1, num_births):
        rng = seeds.stream(0, "propose", number)
        known = history.until(max(1, number - 2))
        history.append(judged(number, controller.propose(known, asked, number, rng)))
    return history


def test_a_birth_is_closed_and_named_after_the_edit_of_its_genes() -> None:
    history = started()
    birth = bred(history, 0, "prune")
    assert (birth.operator, birth.parents) == ("prune", (0,))
    assert operators(birth, history) == ["prune", COMPACT]
    assert not pending(birth.genome)
    assert closed(birth.genome) == birth.genome


def test_other_genes_of_a_pruned_one_start_where_it_started(pruned: History) -> None:
    birth = bred(pruned, 1, "prune-jitter")
    assert (birth.operator, birth.parents) == ("prune-jitter", (0, 1))
    assert birth.seed == seeds.integer(0, "train", 0)
    assert operators(birth, pruned) == ["prune-jitter", COMPACT]


def test_what_is_varied_are_the_genes_of_the_pruned_one(pruned: History) -> None:
    before = Pruned.of(pruned[1], pruned)
    assert before is not None
    birth = bred(pruned, 1, "prune-preset")
    after = PruningGenes.from_json(own(birth, pruned)[0].args["genes"])
    assert after.kept == before.genes.kept
    assert after.schedule != before.genes.schedule


def test_the_rest_of_its_own_edits_comes_after_the_genes(pruned: History) -> None:
    birth = bred(pruned, 2, "prune-jitter")
    widened = [edit for edit in own(pruned[2].birth, pruned) if edit.operator == "widen"]
    first, *middle, last = own(birth, pruned)
    assert birth.parents == (0, 2)
    assert (first.operator, middle, last.operator) == ("prune-jitter", widened, COMPACT)


def test_an_edit_of_layers_keeps_the_pruned_network_and_its_weights(pruned: History) -> None:
    birth = pruned[3].birth
    assert birth.parents == (1,)
    assert operators(birth, pruned) == ["widen"]


def test_the_child_of_a_pruned_one_is_pruned_further_from_its_own_weights(pruned: History) -> None:
    assert Pruned.of(pruned[3], pruned) is None
    harder = replace(OPTIONS, target=Target("parameters", 30.0, 30.0))
    birth = bred(pruned, 3, "prune", options=harder)
    assert birth.parents == (3,)
    assert operators(birth, pruned) == ["prune", COMPACT]


def test_genes_come_first_so_that_fresh_parts_are_not_pruned() -> None:
    history = started()
    for number in range(20):
        birth = bred(history, 0, "insert-layer", "prune", "widen", num_edits=4, number=number)
        names = operators(birth, history)
        assert names == sorted(names, key=lambda name: (name == COMPACT, name != "prune"))


def test_a_pruned_network_that_was_evaluated_is_not_proposed_again() -> None:
    one_way = replace(OPTIONS, ratios="uniform", target=Target("parameters", 80.0, 80.0))
    one_way = replace(one_way, schedules=one_way.schedules[:1])
    history = started()
    history.append(judged(1, bred(history, 0, "prune", options=one_way)))
    again = bred(history, 0, "prune", number=1, options=one_way)
    assert history[1].birth.operator == "prune"
    assert again.operator == "control"


def test_two_pruned_ones_cross_their_genes_where_the_first_started(pruned: History) -> None:
    birth = breeder(pruned, question()).crossed([pruned[2], pruned[1]])
    assert birth is not None
    assert (birth.operator, birth.parents) == ("crossover", (0, 2, 1))
    first, *middle, last = operators(birth, pruned)
    assert (first, last) == ("prune", COMPACT)
    assert set(middle) == {"widen"}
    assert birth.genome.key not in {one.birth.genome.key for one in pruned}


def test_others_cross_as_the_space_does(pruned: History) -> None:
    birth = breeder(pruned, question()).crossed([pruned[1], pruned[3]])
    if birth is not None:
        assert birth.parents == (1, 3)
        assert COMPACT not in operators(birth, pruned)


@pytest.mark.parametrize("controller", CONTROLLERS, ids=lambda one: type(one).__name__)
def test_every_birth_follows_from_its_first_parent_and_the_known_history(
    controller: Controller,
) -> None:
    history = search(controller, 30)
    mutations: dict[str, Any] = dict(question().mutations)
    assert sum(one.birth.genome.edits[-1:] != () for one in history) > 20
    for one in list(history)[1:]:
        start = history[one.birth.parents[0]].birth.genome
        assert one.birth.genome.edits[: len(start.edits)] == start.edits
        assert not pending(one.birth.genome)
        _ = opened(one.birth.genome, start, mutations)
        known = History(list(history.until(max(1, one.number - 2))))
        rng = seeds.stream(0, "propose", one.number)
        again = controller.propose(known, question(), one.number, rng)
        assert canonical.text(again.to_json()) == canonical.text(one.birth.to_json())


def test_searches_that_do_not_prune_know_no_operators_of_genes() -> None:
    history, asked = started(), question(None)
    for number in range(10):
        birth = breeder(history, asked, number).mutant(history[0], num_edits=2)
        assert {edit.operator for edit in birth.genome.edits} <= {"widen", "insert-layer"}
        assert birth.genome.chromosomes == {}
