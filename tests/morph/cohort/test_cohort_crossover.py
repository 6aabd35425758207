"""Crossed cohorts: parts that mean the same meet, and what comes over can be trained."""

import json
from dataclasses import replace

import pytest
from cohort_walks import OPERATORS, cohort_of, edited, state_of, wandered
from cohorts import OPTIONS, SEED, TEACHER, edge, kd, mutual, task, taught, with_cohort

from evonas.genome import Edit, Genome
from evonas.genome.cohort import Cohort, Edge, Stage
from evonas.genome.members import NETWORK, members
from evonas.genome.schedule import Curve
from evonas.morph.cohort.align import matched, partners, similarity
from evonas.morph.cohort.check import check
from evonas.morph.cohort.crossover import CohortCross, crossed_cohorts, with_crossed_cohort
from evonas.morph.cohort.edit import cohort_edit
from evonas.morph.crossover import crossover
from evonas.morph.inherit import inherit
from evonas.morph.scaled import scaled
from evonas.morph.widen import Widen
from evonas.seeds import stream

GRAPH = SEED.architecture[NETWORK]


def pair(genome: Genome) -> tuple[Genome, Cohort]:
    return genome, cohort_of(genome)


def crosses(first: Genome, second: Genome, count: int = 20) -> list[tuple[Edit, Genome]]:
    """Return drawn children of two parents."""
    found: list[tuple[Edit, Genome]] = []
    for seed in range(count):
        edit = crossed_cohorts(first, second, OPTIONS, stream(seed))
        if edit is not None:
            found.append((edit, CohortCross().apply(first, edit)))
    return found


def weighted(weight: float, temperature: float) -> Cohort:
    loss = {"name": "kl", "temperature": temperature}
    ends = edge("kl", "teacher:logits", "candidate:logits")
    return replace(kd(), edges=(task(), replace(ends, loss=loss, weight=Curve(end=weight))))


def renamed(cohort: Cohort, old: str, new: str) -> Cohort:
    """Return the cohort with a node of another name, in the same role."""
    role = f'"role": "{old}"'
    text = json.dumps(cohort.to_json()).replace(role, "<role>").replace(f'"{old}', f'"{new}')
    return Cohort.from_json(json.loads(text.replace("<role>", role)))


def kl_of(cohort: Cohort) -> Edge:
    return next(one for one in cohort.edges if one.loss["name"] == "kl")


def test_members_of_other_names_are_partners_by_their_role():
    there = renamed(mutual(), "peer", "twin")
    found = partners(pair(with_cohort(mutual())), pair(with_cohort(there)))
    assert found == {"candidate": "candidate", "twin": "peer"}


def test_of_members_of_one_role_those_with_like_networks_are_partners():
    names = {"small": scaled(GRAPH, 0.5), "large": scaled(GRAPH, 2.0)}
    nodes = {**mutual().nodes, **dict.fromkeys(names, mutual().nodes["peer"])}
    del nodes["peer"]
    edges = [task(), *(task(name) for name in names)]
    edges += [edge("kl", f"{name}:logits", "candidate:logits") for name in names]
    both = Cohort(nodes=nodes, edges=tuple(edges), stages=(Stage(train=tuple(nodes)),))
    here = with_cohort(both, **names)
    swapped = with_cohort(both, small=names["large"], large=names["small"])
    found = partners(pair(here), pair(swapped))
    assert (found["small"], found["large"]) == ("large", "small")


def test_a_network_is_most_like_itself():
    assert similarity(GRAPH, GRAPH) == 1
    assert 0 < similarity(GRAPH, scaled(GRAPH, 2.0)) < 1


def test_a_member_is_no_partner_of_an_assistant():
    there = mutual()
    helper = replace(there.nodes["peer"], role="assistant")
    there = replace(there, nodes={**there.nodes, "peer": helper})
    found = partners(pair(with_cohort(mutual())), pair(with_cohort(there)))
    assert "peer" not in found


def test_edges_match_by_loss_roles_and_depth_and_not_by_names():
    first, second = with_cohort(mutual()), with_cohort(renamed(mutual(), "peer", "twin"))
    known = partners(pair(first), pair(second))
    found = matched(pair(first), pair(second), known, OPTIONS)
    assert {here: one.name for here, one in found.items()} == {
        "task to candidate:logits": "task to candidate:logits",
        "task to peer:logits": "task to twin:logits",
        "kl peer:logits to candidate:logits": "kl twin:logits to candidate:logits",
        "kl candidate:logits to peer:logits": "kl candidate:logits to twin:logits",
    }


def test_edges_at_other_depths_do_not_match():
    shallow, deep = (
        with_cohort(
            replace(kd(), edges=(task(), edge("hint", f"teacher:{tap}", f"candidate:{tap}")))
        )
        for tap in ("s1", "last")
    )
    found = matched(pair(shallow), pair(deep), {"teacher": "teacher"}, OPTIONS)
    assert found.keys() == {"task to candidate:logits"}


def test_numbers_of_matching_edges_come_from_either_parent_or_are_the_geometric_mean():
    first, second = with_cohort(weighted(1.0, 2.0)), with_cohort(weighted(4.0, 8.0))
    edges = [kl_of(cohort_of(child)) for _, child in crosses(first, second, 40)]
    assert {one.weight.end for one in edges} == {2.0, 4.0}
    assert {one.loss["temperature"] for one in edges} == {4.0, 8.0}


def test_the_schedule_of_an_edge_may_be_the_other_parents():
    ramp = Curve(kind="cosine", end=4.0, until=0.5)
    late = replace(
        weighted(4.0, 2.0), edges=(task(), replace(kl_of(weighted(4.0, 2.0)), weight=ramp))
    )
    children = crosses(with_cohort(weighted(1.0, 2.0)), with_cohort(late), 30)
    kinds = {
        (one.weight.kind, one.weight.end) for one in (kl_of(cohort_of(c)) for _, c in children)
    }
    assert ("cosine", 1.0) in kinds
    assert ("constant", 4.0) in kinds


def test_weights_of_different_units_are_not_mixed():
    plain = replace(kl_of(weighted(0.1, 2.0)), unit="loss")
    second = with_cohort(replace(kd(), edges=(task(), plain)))
    for _, child in crosses(with_cohort(weighted(7.0, 2.0)), second):
        one = kl_of(cohort_of(child))
        assert (one.weight.end, one.unit) in {(7.0, "gradient"), (0.1, "loss")}


def test_the_child_keeps_the_architecture_and_the_members_of_the_first():
    first = edited(with_cohort(mutual()), "cohort-grow", stream(0))
    for edit, child in crosses(first, with_cohort(taught())):
        assert child.architecture == first.architecture
        assert members(child)["peer"] == members(first)["peer"]
        assert child.edits == (*first.edits, edit)


def test_a_member_that_only_the_second_has_may_come_over_with_its_weights():
    first, second = with_cohort(kd()), with_cohort(mutual(), peer=scaled(GRAPH, 2.0))
    states = state_of(first, 10), state_of(second, 20)
    carried = [(edit, child) for edit, child in crosses(first, second, 40) if edit.args["graphs"]]
    assert 2 < len(carried) < 20
    for _, child in carried:
        parents = [(first, states[0]), (second, states[1])]
        state = inherit(OPERATORS, child, parents, stream(0))
        part, given = state.part("peer1"), states[1].part("peer")
        assert part.tensors.keys() == given.tensors.keys() != set()
        assert all(part.tensors[name] is given.tensors[name] for name in given.tensors)
        assert part.slots.keys() == given.slots.keys()
        assert state.own.tensors.keys() == states[0].tensors.keys()


def test_a_member_that_both_have_keeps_the_weights_of_the_first():
    first, second = with_cohort(mutual()), with_cohort(mutual())
    first = edited(first, "cohort-stage", stream(0))
    states = state_of(first, 10), state_of(second, 20)
    _, child = crosses(first, second)[0]
    state = inherit(OPERATORS, child, list(zip((first, second), states, strict=True)), stream(0))
    given = states[0].part("peer").tensors
    assert all(tensor.equal(given[name]) for name, tensor in state.part("peer").tensors.items())


def test_a_teacher_that_only_the_second_has_may_come_over():
    alone = Cohort(nodes={"candidate": kd().nodes["candidate"]}, edges=(task(),))
    children = [cohort_of(child) for _, child in crosses(with_cohort(alone), with_cohort(kd()), 40)]
    assert children
    assert all(child.nodes["teacher"] == TEACHER for child in children)


def test_stages_come_as_a_unit():
    first, second = with_cohort(kd()), with_cohort(taught())
    children = [cohort_of(child) for _, child in crosses(first, second, 40)]
    programmes = {tuple(stage.name for stage in child.stages) for child in children}
    assert programmes == {("all",), ("warm", "main")}


def test_parents_with_one_cohort_have_no_child_with_another():
    assert crossed_cohorts(with_cohort(kd()), with_cohort(kd()), OPTIONS, stream(0)) is None


def test_without_cohorts_nothing_is_crossed():
    first = with_cohort(kd())
    assert with_crossed_cohort(first, with_cohort(taught()), None, stream(0)) is first


@pytest.mark.parametrize("seed", range(12))
def test_children_of_random_parents_are_valid_and_replay_from_json(seed: int):
    first = wandered(with_cohort(kd()), 4, seed)
    second = wandered(with_cohort(taught()), 5, seed + 100)
    for edit, child in crosses(first, second, 3):
        check(child, OPTIONS)
        read = Edit.from_json(json.loads(json.dumps(edit.to_json())))
        assert CohortCross().apply(Genome.from_json(first.to_json()), read) == child


def test_crossover_of_architectures_leaves_edits_of_cohorts_out():
    second = with_cohort(kd())
    second = Widen().apply(second, Widen().propose(second, stream(1)) or pytest.fail("no edit"))
    second = edited(second, "cohort-clone", stream(0))
    child = crossover({"widen": Widen()}, with_cohort(kd()), second, stream(0), keep=1.0)
    assert child is not None
    assert [one.operator for one in child.edits] == ["widen"]
    assert cohort_of(child) == cohort_of(with_cohort(kd()))


def test_the_edit_is_chained_to_earlier_ones_of_the_cohort():
    first = edited(with_cohort(kd()), "cohort-clone", stream(0))
    edit, _ = crosses(first, with_cohort(taught()))[0]
    assert edit.previous == first.edits[-1].id
    assert cohort_edit(first, "x", kd()).previous == first.edits[-1].id
