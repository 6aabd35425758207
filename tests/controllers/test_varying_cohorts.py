"""Births of a search over cohorts: crossed, replayed, never twice, and pruned ones, too."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from cohort_walks import cohort_of, state_of
from cohorts import OPTIONS, SPACE, kd, mutual, taught, with_cohort

from evonas import seeds
from evonas.controllers.controller import Controller, Question
from evonas.controllers.eena import Eena
from evonas.controllers.nsga2 import Nsga2
from evonas.controllers.variation import Breeder
from evonas.genome import Birth, Genome, canonical
from evonas.genome.cohort import COHORT_CROSS, Cohort
from evonas.genome.members import members
from evonas.history import Cost, Evaluation, History, Individual, Objective
from evonas.morph.always import ALWAYS
from evonas.morph.cohort.check import check
from evonas.morph.cohort.nodes import CohortClone
from evonas.morph.cohort.operators import mutations_for
from evonas.morph.compact import COMPACT, closed, opened
from evonas.morph.inherit import inherit
from evonas.morph.mutation import Mutation
from evonas.morph.prune_genes import Prune
from evonas.morph.prune_operators import mutations_for as pruning_mutations_for
from evonas.morph.prune_options import PruningOptions
from evonas.state import State

PRUNING = PruningOptions()


def question(*, cohort: bool = True, pruning: bool = False) -> Question:
    mutations: dict[str, Mutation] = dict(SPACE.mutations())
    if cohort:
        mutations |= mutations_for(OPTIONS)
    if pruning:
        mutations |= pruning_mutations_for(PRUNING)
    return Question(
        SPACE,
        mutations,
        (Objective("error", "min"), Objective("macs", "min")),
        0,
        PRUNING if pruning else None,
        OPTIONS if cohort else None,
    )


def judged(number: int, birth: Birth) -> Individual:
    error = seeds.integer(0, "error", birth.genome.key) / 2**63
    metrics = {"error": error, "macs": 1e4 * (1 + error)}
    return Individual(number, birth, Evaluation(metrics, Cost(100, 1e6), f"{number:064x}"))


def history_of(*births: tuple[Genome, tuple[int, ...]]) -> History:
    seed = Birth(with_cohort(kd()), "seed", (), 1)
    rows = [seed, *(Birth(genome, "mutation", parents, 1) for genome, parents in births)]
    return History([judged(number, birth) for number, birth in enumerate(rows)])


def mutated(genome: Genome, operator: str, seed: int = 0, **asked: bool) -> Genome:
    mutation = question(**asked).mutations[operator]
    edit = mutation.propose(genome, seeds.stream(seed, operator))
    assert edit is not None
    return mutation.apply(genome, edit)


def breeder(history: History, number: int = 0, **asked: bool) -> Breeder:
    return Breeder(history, question(**asked), seeds.stream(0, "propose", number))


def own(birth: Birth, history: History) -> list[str]:
    start = history[birth.parents[0]].birth.genome
    assert birth.genome.edits[: len(start.edits)] == start.edits
    return [edit.operator for edit in birth.genome.edits[len(start.edits) :]]


def two_cohorts() -> History:
    """Return a history in which 1 has a peer, and 2 other numbers in its edge."""
    seed = with_cohort(kd())
    return history_of(
        (mutated(seed, "cohort-clone"), (0,)), (mutated(seed, "cohort-jitter", 3), (0,))
    )


def test_parents_that_differ_in_their_cohorts_alone_have_children():
    history = two_cohorts()
    births = [breeder(history, number).crossed([history[1], history[2]]) for number in range(8)]
    found = [birth for birth in births if birth is not None]
    assert found
    for birth in found:
        assert (birth.operator, birth.parents) == ("crossover", (1, 2))
        assert own(birth, history) == [COHORT_CROSS]
        check(birth.genome, OPTIONS)


def test_a_child_of_both_crossovers_has_edits_of_layers_and_a_cohort_of_both():
    history = two_cohorts()
    history.append(judged(3, Birth(mutated(history[2].birth.genome, "widen"), "widen", (2,), 1)))
    births = [breeder(history, number).crossed([history[1], history[3]]) for number in range(12)]
    kinds = {tuple(own(birth, history)) for birth in births if birth is not None}
    assert ("widen", COHORT_CROSS) in kinds


def test_without_cohorts_in_the_question_there_are_no_such_edits():
    history = two_cohorts()
    maker = breeder(history, cohort=False)
    assert maker.crossed([history[1], history[2]]) is None


def test_a_crossed_cohort_that_was_tried_is_not_proposed_again():
    history = two_cohorts()
    birth = breeder(history).crossed([history[1], history[2]])
    assert birth is not None
    history.append(judged(3, birth))
    again = breeder(history).crossed([history[1], history[2]])
    assert again is None or again.genome.key != birth.genome.key


def test_a_crossed_child_inherits_from_both_parents():
    seed = with_cohort(kd())
    history = history_of((mutated(seed, "cohort-jitter", 3), (0,)), (with_peer(seed), (0,)))
    births = [breeder(history, number).crossed([history[1], history[2]]) for number in range(30)]
    carried = [birth for birth in births if birth and members(birth.genome)]
    assert carried
    states = {number: state_of(history[number].birth.genome, 10 * number) for number in (1, 2)}
    for birth in carried:
        parents = [(history[number].birth.genome, states[number]) for number in birth.parents]
        state = SPACE.inherit(birth.genome, parents, seeds.stream(0))
        (name,) = members(birth.genome)
        assert_same(state.part(name), states[2].part("peer1"))
        assert_same(state.own, states[1].own)


def with_peer(genome: Genome) -> Genome:
    return mutated(genome, "cohort-clone")


def assert_same(one: State, other: State) -> None:
    assert one.tensors.keys() == other.tensors.keys()
    assert all(tensor.equal(other.tensors[name]) for name, tensor in one.tensors.items())


@pytest.mark.slow
@pytest.mark.parametrize(
    "controller", [Eena(population=4), Nsga2(population=4)], ids=["eena", "nsga2"]
)
def test_every_birth_is_valid_and_follows_from_the_known_history(controller: Controller):
    history, asked = history_of(), question()
    for number in range(1, 16):
        rng = seeds.stream(0, "propose", number)
        birth = controller.propose(history, asked, number, rng)
        again = controller.propose(history, asked, number, seeds.stream(0, "propose", number))
        assert canonical.text(birth.to_json()) == canonical.text(again.to_json())
        check(birth.genome, OPTIONS)
        read = Genome.from_json(birth.genome.to_json())
        assert replayed(read, history[birth.parents[0]].birth.genome) == birth.genome
        history.append(judged(number, birth))
    assert any("cohort" in edit.operator for one in history for edit in one.birth.genome.edits)


def replayed(child: Genome, start: Genome) -> Genome:
    known: Mapping[str, Mutation] = {**ALWAYS, **SPACE.mutations()}
    for edit in child.edits[len(start.edits) :]:
        start = known[edit.operator].apply(start, edit)
    return start


def pruned_with_a_clone() -> tuple[Genome, Genome]:
    """Return the seed, and a child that is pruned and has a clone of the whole candidate."""
    seed = with_cohort(kd())
    edit = Prune(options=PRUNING).propose(seed, seeds.stream(0))
    assert edit is not None
    wide = Prune().apply(seed, edit)
    copy = CohortClone(options=OPTIONS).propose(wide, seeds.stream(1))
    assert copy is not None
    return seed, closed(CohortClone().apply(wide, copy))


def test_a_pruned_birth_is_trained_wide_in_its_cohort():
    seed, child = pruned_with_a_clone()
    assert [edit.operator for edit in child.edits] == ["prune", "cohort-clone", COMPACT]
    wide = opened(child, seed, ALWAYS)
    assert wide is not None
    assert wide.architecture == seed.architecture
    assert cohort_of(wide) == cohort_of(child)
    assert members(wide) == members(child) == {"peer1": seed.architecture["net"]}


def test_the_weights_of_members_outlive_the_pruning_of_the_candidate():
    seed, child = pruned_with_a_clone()
    wide = opened(child, seed, ALWAYS)
    assert wide is not None
    state = inherit({}, wide, [(seed, state_of(seed))], seeds.stream(0))
    small = inherit({}, child, [(wide, state)], seeds.stream(0))
    assert_same(small.part("peer1"), state.part("peer1"))
    assert state.part("peer1").tensors
    assert small.own.tensors.keys() == state.own.tensors.keys()


def test_other_genes_of_a_pruned_one_keep_its_cohort():
    _, child = pruned_with_a_clone()
    history = history_of((child, (0,)))
    asked = question(pruning=True)
    chances = {name: float(name == "prune-jitter") for name in asked.mutations}
    birth = breeder(history, pruning=True).mutant(history[1], chances=chances)
    assert birth.parents == (0, 1)
    assert own(birth, history) == ["prune-jitter", "cohort-clone", COMPACT]
    assert cohort_of(birth.genome) == cohort_of(child)


def test_two_pruned_ones_cross_their_cohorts_with_their_genes():
    seed, first = pruned_with_a_clone()
    other = replace(taught(), readout=("candidate",))
    edit = Prune(options=PRUNING).propose(seed, seeds.stream(5))
    assert edit is not None
    second = closed(Prune().apply(seed, edit))
    second = replace(second, chromosomes={**second.chromosomes, "cohort": other.to_json()})
    history = history_of((first, (0,)), (second, (0,)))
    crossed = 0
    for number in range(8):
        birth = breeder(history, number, pruning=True).crossed([history[1], history[2]])
        assert birth is not None
        assert birth.parents == (0, 1, 2)
        genes, clone, *cross, compact = own(birth, history)
        assert (genes, clone, compact) == ("prune", "cohort-clone", COMPACT)
        crossed += cross == [COHORT_CROSS]
        check(birth.genome, OPTIONS)
        wide = opened(birth.genome, seed, ALWAYS)
        assert wide is not None
        assert cohort_of(wide) == cohort_of(birth.genome)
    assert crossed > 2


def test_an_edit_of_layers_leaves_the_cohort_as_it_is():
    genome = with_cohort(mutual())
    assert Cohort.of(mutated(genome, "widen")) == Cohort.of(genome)
