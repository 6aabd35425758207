"""The family tree says who descends from whom, at what cost, and with what credit."""

from dataclasses import replace

import pytest
from cohort_histories import HINT, HINTED, cohort_history, with_cohort
from histories import OBJECTIVES, evaluation, history, long_history, seed_genome, warmed, widened
from pruned_histories import pruned_history

from evonas.genome import Birth, Genome
from evonas.history import History, Individual
from evonas.lineage import added_edits, edit_credits, family_tree, same


def test_every_individual_is_a_node_and_every_parent_an_edge() -> None:
    tree = family_tree(history(), OBJECTIVES)
    assert list(tree) == list(range(8))
    assert sorted(tree.edges) == [(0, 1), (0, 2), (0, 3), (1, 4), (1, 5), (3, 5), (5, 6), (5, 7)]


def test_a_crossover_has_the_weights_of_one_parent_and_the_edits_of_the_other() -> None:
    tree = family_tree(history(), OBJECTIVES)
    assert tree.edges[3, 5] == {"role": "weights", "edits": []}
    assert tree.edges[1, 5] == {"role": "donor", "edits": ["widen net/conv"]}


def test_a_line_costs_what_every_ancestor_on_it_has_cost_once() -> None:
    tree = family_tree(history(), OBJECTIVES)
    line = (0, 3, 5)
    for unit in ("samples", "macs", "seconds"):
        assert tree.nodes[5][f"line_{unit}"] == sum(tree.nodes[number][unit] for number in line)


def test_the_cost_of_a_failure_counts() -> None:
    node = family_tree(history(), OBJECTIVES).nodes[4]
    assert (node["failure"], node["samples"], node["line_samples"]) == ("timeout", 10, 2010)


def test_credit_is_the_loss_of_the_control_minus_that_of_the_child() -> None:
    credit = edit_credits(history(), OBJECTIVES[0])
    assert credit == {1: pytest.approx(0.05), 3: pytest.approx(-0.01)}


def test_credit_stands_on_the_edge_of_the_weights() -> None:
    tree = family_tree(history(), OBJECTIVES)
    known = {edge for edge in tree.edges if "credit" in tree.edges[edge]}
    assert known == {(0, 1), (0, 3)}


def test_a_last_training_is_credited_with_nothing() -> None:
    trained_on = history()[7]
    control = Individual(8, history()[2].birth, trained_on.outcome)
    assert 7 not in edit_credits([*history(), control], OBJECTIVES[0])


def test_generations_are_counted_along_the_weights() -> None:
    tree = family_tree(history(), OBJECTIVES)
    assert [tree.nodes[number]["generation"] for number in tree] == [0, 1, 1, 1, 2, 2, 3, 3]


def test_members_of_the_front_are_marked() -> None:
    tree = family_tree(history(), OBJECTIVES, front=[2, 5])
    assert [number for number in tree if tree.nodes[number]["front"]] == [2, 5]


def test_a_pruned_birth_has_the_weights_of_one_parent_and_the_varied_genes_of_the_other() -> None:
    tree = family_tree(pruned_history(), OBJECTIVES)
    genes = ["prune-jitter (ghfp): keeps 4 of 8 channels", "compact: -4 channels"]
    assert tree.edges[0, 3] == {"role": "weights", "edits": []}
    assert tree.edges[2, 3] == {"role": "donor", "edits": genes}


def test_only_births_that_prune_say_how() -> None:
    nodes = family_tree(pruned_history(), OBJECTIVES).nodes
    assert nodes[3]["pruned"] == "ghfp (l1), 4 of 8 channels"
    assert (nodes[0]["pruned"], nodes[4]["pruned"]) == ("", "")


def test_a_crossed_cohort_comes_from_the_other_parent() -> None:
    found = list(cohort_history())
    heir, donor = found[4].birth.genome, found[1].birth.genome
    crossed = replace(HINTED, edges=(*HINTED.edges[:1], HINT))
    genome = with_cohort(heir, crossed, "cohort-cross")
    birth = Birth(genome, "crossover", (4, 1), 5)
    tree = family_tree([*found, Individual(5, birth, evaluation(0.1, 100.0))], OBJECTIVES)
    change = "kl from teacher to candidate becomes hint from teacher:s1 to candidate:s1"
    assert tree.edges[4, 5]["edits"] == []
    assert tree.edges[1, 5]["edits"] == [f"cohort-cross: {change}"]
    assert donor.edits[0].id not in {edit.id for edit in genome.edits}


def test_edits_of_cohorts_say_what_they_change() -> None:
    nodes = family_tree(cohort_history(), OBJECTIVES).nodes
    assert nodes[1]["edits"] == ["cohort-add-edge: + hint from teacher:s1 to candidate:s1"]
    assert nodes[3]["edits"] == ["widen net/conv"]


SEED = seed_genome()


@pytest.mark.parametrize(
    ("child", "parent", "operators"),
    [
        (widened(SEED), None, ["widen"]),
        (widened(SEED), SEED, ["widen"]),
        (warmed(widened(SEED), 0.5), widened(SEED), ["perturb"]),
        (SEED, SEED, []),
    ],
)
def test_added_edits_are_those_the_parent_has_not(
    child: Genome, parent: Genome | None, operators: list[str]
) -> None:
    assert [edit.operator for edit in added_edits(child, parent)] == operators


def test_a_tree_is_the_same_as_that_of_an_equal_history() -> None:
    assert same(family_tree(history(), OBJECTIVES), family_tree(history(), OBJECTIVES))


@pytest.mark.parametrize("other", [history(7), long_history(8)])
def test_trees_of_other_histories_differ(other: History) -> None:
    assert not same(family_tree(history(), OBJECTIVES), family_tree(other, OBJECTIVES))
