"""The genome as plain data: keys, edits, ids, JSON."""

import json
from typing import Any

import pytest

from evonas.genome import Birth, Edit, Genome, LayerGraph, Node, canonical

GRAPH = LayerGraph(
    (
        Node("input", "input", (), {"shape": [4]}),
        Node("head", "linear", ("input",), {"out": 2, "bias": True}),
        Node("output", "output", ("head",)),
    )
)
SEED = Genome({"net": GRAPH}, {"lr": 0.1}, {"pruning": {"rate": 0.5}})


def edited(genome: Genome, operator: str, *targets: str, **args: Any) -> Genome:
    return genome.with_edit(genome.edit(operator, *targets, **args))


def test_canonical_text_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical.text({"b": 1, "a": [1, 2]}) == canonical.text({"a": [1, 2], "b": 1})
    assert canonical.text([1, 2]) != canonical.text([2, 1])


def test_a_number_that_is_not_finite_has_no_canonical_text() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical.text({"lr": float("nan")})


def test_keys_in_journals_written_today_are_the_keys_of_tomorrow() -> None:
    assert SEED.key == "824e1260649a5d2cd42bcdb28d4f78bc"
    assert SEED.edit("widen", "net/head", channels=2).id == "eff2f860d3290261"


@pytest.mark.parametrize(
    "other",
    [
        Genome({"net": GRAPH}, {"lr": 0.2}, {"pruning": {"rate": 0.5}}),
        Genome({"net": GRAPH}, {"lr": 0.1}, {"pruning": {"rate": 0.6}}),
        Genome({"net": GRAPH}, {"lr": 0.1}),
        Genome({"actor": GRAPH}, {"lr": 0.1}, {"pruning": {"rate": 0.5}}),
        Genome({}, {"lr": 0.1}, {"pruning": {"rate": 0.5}}),
    ],
)
def test_every_chromosome_is_in_the_key(other: Genome) -> None:
    assert other.key != SEED.key


def test_history_is_not_in_the_key() -> None:
    assert edited(SEED, "widen", "net/head", channels=2).key == SEED.key


def test_changes_make_new_genomes_and_leave_the_old_one_as_it_was() -> None:
    before = SEED.to_json()
    assert SEED.with_settings({"lr": 0.3}).settings == {"lr": 0.3}
    assert SEED.with_graph("critic", GRAPH).architecture.keys() == {"net", "critic"}
    assert SEED.to_json() == before


def test_json_gives_the_same_genome_back() -> None:
    genome = edited(
        edited(SEED, "widen", "net/head", channels=2), "settings", "settings/lr", value=1
    )
    again = Genome.from_json(json.loads(json.dumps(genome.to_json())))
    assert again == genome
    assert again.key == genome.key
    assert [edit.id for edit in again.edits] == [edit.id for edit in genome.edits]


def test_json_gives_the_same_birth_back() -> None:
    birth = Birth(edited(SEED, "widen", "net/head", channels=2), "widen", (3, 5), 2**63 - 1)
    assert Birth.from_json(json.loads(json.dumps(birth.to_json()))) == birth


def test_the_same_edit_twice_on_one_target_has_two_ids() -> None:
    once = edited(SEED, "widen", "net/head", channels=2)
    again = once.edit("widen", "net/head", channels=2)
    assert again.previous == once.edits[0].id
    assert again.id != once.edits[0].id


def test_edits_of_other_targets_commute() -> None:
    """One innovation has one id in two lineages that differ elsewhere."""
    widen, settings = ("widen", "net/head"), ("settings", "settings/lr")
    first = edited(edited(SEED, *widen, channels=2), *settings, value=0.2)
    second = edited(edited(SEED, *settings, value=0.2), *widen, channels=2)
    assert {edit.id for edit in first.edits} == {edit.id for edit in second.edits}


def test_an_edit_chains_to_the_last_one_that_shares_any_target() -> None:
    genome = edited(SEED, "skip", "net/a", "net/b")
    genome = edited(genome, "widen", "net/c")
    assert genome.edit("widen", "net/b").previous == genome.edits[0].id
    assert genome.edit("widen", "net/b", "net/c").previous == genome.edits[1].id
    assert not genome.edit("widen", "net/d").previous


@pytest.mark.parametrize(
    "other",
    [
        Edit("widen", ("net/head",), {"channels": 2}),
        Edit("prune", ("net/head",), {"channels": 4}),
        Edit("widen", ("net/tail",), {"channels": 4}),
        Edit("widen", ("net/head",), {"channels": 4}, "before"),
    ],
)
def test_every_part_of_an_edit_is_in_its_id(other: Edit) -> None:
    assert other.id != Edit("widen", ("net/head",), {"channels": 4}).id


def test_an_id_survives_json_whatever_sequences_its_arguments_were() -> None:
    edit = Edit("grow", ("net/head",), {"axes": (0, 1)})
    assert Edit.from_json(json.loads(json.dumps(edit.to_json()))).id == edit.id
