"""Members that come, go and grow: valid cohorts, and weights that go where they belong."""

from dataclasses import replace

import pytest
from cohort_walks import OPERATORS, cohort_of, computed, edited, state_of, wandered
from cohorts import OPTIONS, SEED, edge, kd, mutual, task, taught, with_cohort

from evonas.errors import EditError
from evonas.genome import Genome, cost
from evonas.genome.cohort import Node, Stage
from evonas.genome.members import NETWORK, as_genome, members
from evonas.morph.cohort.assistant import CohortAssistant
from evonas.morph.cohort.check import check
from evonas.morph.cohort.grow import CohortGrow
from evonas.morph.cohort.nodes import CohortClone, CohortSnapshot, without
from evonas.morph.inherit import inherit
from evonas.morph.scaled import scaled
from evonas.seeds import stream
from evonas.state import State

GRAPH = SEED.architecture[NETWORK]


def names(genome: Genome) -> set[str]:
    return {edge.name for edge in cohort_of(genome).edges}


def child_state(parent: Genome, child: Genome, state: State) -> State:
    return inherit(OPERATORS, child, [(parent, state)], stream(0))


def test_a_clone_and_the_candidate_learn_from_each_other_and_from_the_labels():
    child = edited(with_cohort(kd()), "cohort-clone", stream(0))
    assert names(child) - names(with_cohort(kd())) == {
        "kl candidate:logits to peer1:logits",
        "kl peer1:logits to candidate:logits",
        "task to peer1:logits",
    }
    assert cohort_of(child).stages[0].train == ("candidate", "peer1")
    assert members(child)["peer1"] == GRAPH


def test_the_edit_of_a_clone_says_whose_copy_it_is_and_repeats_no_graph():
    edit = OPERATORS["cohort-clone"].propose(with_cohort(kd()), stream(0))
    assert edit is not None
    assert edit.args["of"] == "candidate"
    assert "graphs" not in edit.args


def clones(*, fresh: bool) -> tuple[State, State]:
    """Return a parent's state, and that of a child with a clone of the candidate."""
    parent = with_cohort(kd())
    for seed in range(40):
        edit = OPERATORS["cohort-clone"].propose(parent, stream(seed))
        if edit is not None and edit.args["fresh"] == fresh:
            state = state_of(parent)
            return state, child_state(parent, CohortClone().apply(parent, edit), state)
    raise AssertionError


def test_a_clone_has_the_weights_of_its_origin_but_for_a_little_noise():
    state, after = clones(fresh=False)
    part = after.part("peer1")
    assert part.tensors.keys() == state.tensors.keys()
    for name, tensor in state.tensors.items():
        gap = (part.tensors[name] - tensor).abs().max()
        if tensor.ndim > 1:
            assert 0 < gap < 0.2 * tensor.std()
        else:
            assert gap == 0
    assert part.slots["momentum_buffer"].keys() == state.slots["momentum_buffer"].keys()


def test_a_fresh_clone_has_other_weights_and_no_momentum():
    state, after = clones(fresh=True)
    part = after.part("peer1")
    assert part.tensors.keys() == state.tensors.keys()
    assert not part.slots
    weights = [name for name, tensor in state.tensors.items() if tensor.ndim > 1]
    assert all(not part.tensors[name].allclose(state.tensors[name], atol=0.1) for name in weights)


def test_there_are_no_more_members_than_the_search_allows():
    few = CohortClone(options=replace(OPTIONS, max_nodes=1))
    assert few.propose(with_cohort(kd()), stream(0)) is not None
    assert few.propose(with_cohort(mutual()), stream(0)) is None


def test_a_clone_needs_the_loss_by_which_it_learns():
    losses = {name: kind for name, kind in OPTIONS.losses.items() if name != "kl"}
    poor = replace(OPTIONS, losses=losses)
    assert CohortClone(options=poor).propose(with_cohort(kd()), stream(0)) is None
    assert CohortSnapshot(options=poor).propose(with_cohort(kd()), stream(0)) is None


def assisted() -> Genome:
    """Return a candidate that learns from an assistant, which learns from a teacher."""
    cohort = kd()
    edges = (
        task(),
        edge("kl", "teacher:logits", "helper:logits"),
        edge("kl", "helper:logits", "candidate:logits"),
    )
    nodes = {**cohort.nodes, "helper": Node(kind="member", role="assistant")}
    stages = (Stage(train=("candidate", "helper")),)
    return with_cohort(replace(cohort, nodes=nodes, edges=edges, stages=stages))


def test_who_learned_from_a_member_that_goes_learns_from_its_teachers():
    child = edited(assisted(), "cohort-drop", stream(0))
    assert names(child) == {"task to candidate:logits", "kl teacher:logits to candidate:logits"}
    assert not members(child)


def test_nobody_learns_from_himself_when_a_peer_goes():
    child = edited(with_cohort(mutual()), "cohort-drop", stream(0))
    assert names(child) == {"task to candidate:logits"}


def test_the_weights_of_a_member_go_with_it():
    parent = with_cohort(mutual())
    state = state_of(parent)
    after = child_state(parent, edited(parent, "cohort-drop", stream(0)), state)
    assert state.part("peer").tensors
    assert not after.part("peer").tensors
    assert after.tensors.keys() == state.own.tensors.keys()


def test_a_sampler_whose_scorer_goes_asks_the_candidate():
    assert without(taught(), "past").stages[1].scorer == "candidate"


def test_the_parent_teaches_from_the_first_step_on():
    child = cohort_of(edited(with_cohort(kd()), "cohort-snapshot", stream(0)))
    assert child.nodes["parent1"] == Node(kind="snapshot", role="teacher", of="candidate")
    assert child.stages[0].snapshots == ("parent1",)
    again = child.put_into(SEED)
    assert OPERATORS["cohort-snapshot"].propose(again, stream(1)) is None


def assistants() -> dict[bool, Genome]:
    """Return children with an assistant that learns first, and with one that learns along."""
    found: dict[bool, Genome] = {}
    for seed in range(12):
        child = edited(with_cohort(kd()), "cohort-assistant", stream(seed))
        found[len(cohort_of(child).stages) == 2] = child
    return found


@pytest.mark.parametrize("first", [True, False])
def test_an_assistant_stands_between_teacher_and_student(first: bool):
    child = assistants()[first]
    assert names(child) == {
        "task to candidate:logits",
        "task to assistant1:logits",
        "kl teacher:logits to assistant1:logits",
        "kl assistant1:logits to candidate:logits",
    }
    check(child, OPTIONS)


def test_an_assistant_learns_in_a_stage_of_its_own_or_along_with_its_student():
    cohorts = {first: cohort_of(child) for first, child in assistants().items()}
    assert [stage.train for stage in cohorts[True].stages] == [("assistant1",), ("candidate",)]
    assert [stage.train for stage in cohorts[False].stages] == [("candidate", "assistant1")]


def test_an_assistant_has_the_geometric_mean_of_both_sizes():
    size = cost.parameters(members(assistants()[True])["assistant1"])
    wanted = (OPTIONS.sizes["teacher"] * cost.parameters(GRAPH)) ** 0.5
    assert 0.8 * wanted < size <= wanted


def test_there_is_no_assistant_of_a_teacher_that_is_no_larger():
    small = CohortAssistant(options=replace(OPTIONS, sizes={"teacher": 5}))
    assert small.propose(with_cohort(kd()), stream(0)) is None


@pytest.mark.parametrize("seed", range(6))
def test_a_member_that_grows_computes_what_it_computed(seed: int):
    parent = with_cohort(mutual(), peer=scaled(GRAPH, 1.5))
    child = edited(parent, "cohort-grow", stream(seed))
    state = state_of(parent)
    after = child_state(parent, child, state)
    before, now = (as_genome(members(one)["peer"]) for one in (parent, child))
    assert before.key != now.key
    gap = computed(before, state.part("peer")) - computed(now, after.part("peer"))
    assert gap.abs().max() < 1e-9 * (1 + computed(before, state.part("peer")).abs().max())
    assert child.architecture == parent.architecture
    assert after.own.tensors.keys() == state.own.tensors.keys()


def test_equal_edits_of_a_member_one_after_another_make_different_layers():
    genome = with_cohort(mutual())
    edit = OPERATORS["cohort-grow"].propose(genome, stream(2))
    assert edit is not None
    once = CohortGrow().apply(genome, edit)
    again = OPERATORS["cohort-grow"].propose(once, stream(2))
    assert again is not None
    assert edit.args["edit"][3] != again.args["edit"][3]


def test_a_member_grows_by_known_operators_only():
    genome = with_cohort(mutual())
    edit = OPERATORS["cohort-grow"].propose(genome, stream(0))
    assert edit is not None
    inner = ["compact", *edit.args["edit"][1:]]
    with pytest.raises(EditError, match="unknown mutation of a member 'compact'"):
        CohortGrow().apply(genome, replace(edit, args={**edit.args, "edit": inner}))


def test_a_copy_of_a_network_that_is_not_there_is_an_edit_error():
    genome = with_cohort(mutual())
    edit = OPERATORS["cohort-clone"].propose(genome, stream(0))
    assert edit is not None
    with pytest.raises(EditError, match="'nobody' is no network"):
        CohortClone().apply(genome, replace(edit, args={**edit.args, "of": "nobody"}))


@pytest.mark.parametrize("seed", range(8))
def test_random_edits_keep_cohorts_valid_and_replay(seed: int):
    start = with_cohort(kd())
    child = wandered(start, 10, seed)
    check(child, OPTIONS)
    replayed = start
    for one in Genome.from_json(child.to_json()).edits:
        replayed = type(OPERATORS[one.operator])().apply(replayed, one)
    assert replayed == child
    assert child.architecture == start.architecture


@pytest.mark.parametrize("seed", range(4))
def test_after_random_edits_every_member_has_the_tensors_of_its_network(seed: int):
    start = with_cohort(kd())
    child = wandered(start, 8, seed)
    after = child_state(start, child, state_of(start))
    for name, graph in members(child).items():
        assert computed(as_genome(graph), after.part(name)).isfinite().all()
    wanted = state_of(child)
    assert after.tensors.keys() == wanted.tensors.keys()
