from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from evonas.errors import ConfigError, EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.dense import InsertDense
from evonas.morph.influence import influential
from evonas.morph.inherit import inherit
from evonas.morph.mutation import Mutation
from evonas.morph.shortcut import InsertShortcut
from evonas.morph.widen import Widen
from evonas.seeds import stream
from evonas.state import State

Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]

MUTATIONS: dict[str, Mutation] = {
    "insert-dense": InsertDense(),
    "insert-shortcut": InsertShortcut(),
    "widen": Widen(),
}
CONV = {
    "kernel": [3, 3],
    "stride": [1, 1],
    "padding": [1, 1],
    "dilation": [1, 1],
    "groups": 1,
    "bias": True,
}
NEW = {"kind": "relu", "kernel": [3, 3]}


@pytest.fixture
def seed() -> Genome:
    nodes = (
        Node("x", "input", (), {"shape": [3, 6, 6]}),
        Node("a", "conv", ("x",), {**CONV, "out": 4}),
        Node("bn", "bn", ("a",), {"eps": 1e-5, "momentum": 0.1}),
        Node("act", "act", ("bn",), {"kind": "relu"}),
        Node("b", "conv", ("act",), {**CONV, "out": 4}),
        Node("end", "act", ("b",), {"kind": "relu"}),
        Node("flat", "flatten", ("end",)),
        Node("fc", "linear", ("flat",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    return Genome({"net": LayerGraph(nodes)})


def edited(genome: Genome, operator: str, *targets: str, **args: object) -> Genome:
    return MUTATIONS[operator].apply(genome, genome.edit(operator, *targets, **args))


def test_a_child_of_several_edits_computes_what_its_parent_did(
    seed: Genome, trained: Train, outputs: Compute
):
    child = edited(seed, "insert-shortcut", "net/act", **NEW)
    child = edited(child, "widen", "net/a", part=0, channels=2)
    child = edited(child, "insert-dense", "net/end", channels=2, **NEW)
    parent = trained(seed, 0)
    state = inherit(MUTATIONS, child, [(seed, parent)], stream(0))
    before = outputs(seed, parent, True)
    torch.testing.assert_close(before, outputs(child, state, True), rtol=1e-9, atol=1e-9)


def test_an_unedited_clone_inherits_everything(seed: Genome, trained: Train):
    parent = trained(seed, 0)
    assert inherit(MUTATIONS, seed, [(seed, parent)], stream(0)) == parent


def test_one_seed_gives_one_state(seed: Genome, trained: Train):
    child = edited(seed, "widen", "net/a", part=0, channels=2)
    parent = trained(seed, 0)
    states = [inherit(MUTATIONS, child, [(seed, parent)], stream(s)) for s in (1, 1, 2)]
    assert states[0].to_bytes() == states[1].to_bytes() != states[2].to_bytes()


def test_a_child_of_another_parent_is_refused(seed: Genome, trained: Train):
    other = edited(seed, "widen", "net/a", part=0, channels=2)
    child = edited(seed, "widen", "net/b", part=0, channels=2)
    with pytest.raises(EditError, match="first parent"):
        inherit(MUTATIONS, child, [(other, trained(other, 0))], stream(0))


def test_a_child_whose_edits_lead_elsewhere_is_refused(seed: Genome, trained: Train):
    child = edited(seed, "widen", "net/a", part=0, channels=2)
    liar = replace(child, architecture=seed.architecture)
    with pytest.raises(EditError, match="do not lead"):
        inherit(MUTATIONS, liar, [(seed, trained(seed, 0))], stream(0))


def test_an_unknown_operator_is_named(seed: Genome, trained: Train):
    child = seed.with_edit(Edit("wyden", ("net/a",)))
    with pytest.raises(ConfigError, match="did you mean 'widen'"):
        inherit(MUTATIONS, child, [(seed, trained(seed, 0))], stream(0))


def test_the_second_parent_donates_what_stands_behind_a_closed_gate(
    seed: Genome, trained: Train, outputs: Compute
):
    first = edited(seed, "widen", "net/b", part=0, channels=2)
    second = edited(seed, "insert-shortcut", "net/act", **NEW)
    child = edited(first, "insert-shortcut", "net/act", **NEW)
    parents = [(first, trained(first, 0)), (second, trained(second, 1))]
    state = inherit(MUTATIONS, child, parents, stream(0))
    given = second.edits[-1].id
    for layer in ("conv", "bn"):
        name = f"{layer}_shortcut_{given}.weight"
        assert state.tensors[name].equal(parents[1][1].tensors[name])
    assert not state.tensors[f"scale_shortcut_{given}.scale"].any()
    before = outputs(first, parents[0][1], True)
    torch.testing.assert_close(before, outputs(child, state, True), rtol=1e-9, atol=1e-9)


def test_a_donation_follows_an_edit_that_got_another_id(seed: Genome, trained: Train):
    first = edited(seed, "insert-shortcut", "net/act", kind="silu", kernel=[1, 1])
    second = edited(seed, "insert-shortcut", "net/act", **NEW)
    child = edited(first, "insert-shortcut", "net/act", **NEW)
    assert child.edits[-1].id != second.edits[-1].id
    parents = [(first, trained(first, 0)), (second, trained(second, 1))]
    state = inherit(MUTATIONS, child, parents, stream(0))
    here, there = (f"conv_shortcut_{g.edits[-1].id}.weight" for g in (child, second))
    assert state.tensors[here].equal(parents[1][1].tensors[there])


def test_weights_of_another_shape_are_not_donated(seed: Genome, trained: Train):
    first = edited(seed, "widen", "net/a", part=0, channels=2)
    second = edited(seed, "insert-shortcut", "net/act", **NEW)
    child = edited(first, "insert-shortcut", "net/act", **NEW)
    parents = [(first, trained(first, 0)), (second, trained(second, 1))]
    alone = inherit(MUTATIONS, child, parents[:1], stream(0))
    assert inherit(MUTATIONS, child, parents, stream(0)).to_bytes() == alone.to_bytes()


def test_columns_of_zeros_and_closed_gates_leave_a_layer_without_influence(
    seed: Genome, trained: Train
):
    child = edited(seed, "insert-dense", "net/act", channels=2, **NEW)
    child = edited(child, "insert-shortcut", "net/end", **NEW)
    state = inherit(MUTATIONS, child, [(seed, trained(seed, 0))], stream(0))
    graph = child.architecture["net"]
    flags = influential(graph, "", state.tensors)
    dense, shortcut = (edit.id for edit in child.edits)
    assert flags[f"concat_dense_{dense}"].tolist() == [False] * 2 + [True] * 4
    idle = {name for name, flag in flags.items() if not flag.any()}
    assert idle == {
        *(f"{op}_dense_{dense}" for op in ("conv", "bn", "act")),
        *(f"{op}_shortcut_{shortcut}" for op in ("conv", "bn", "act")),
    }


def test_without_influence_means_that_no_weight_there_changes_the_output(
    seed: Genome, trained: Train, outputs: Compute
):
    child = edited(seed, "insert-dense", "net/act", channels=2, **NEW)
    state = inherit(MUTATIONS, child, [(seed, trained(seed, 0))], stream(0))
    flags = influential(child.architecture["net"], "", state.tensors)
    idle = tuple(f"{name}." for name, flag in flags.items() if not flag.any())
    moved = {
        name: tensor + 1.0
        for name, tensor in state.tensors.items()
        if name.startswith(idle) and tensor.is_floating_point()
    }
    assert len(moved) == 5
    other = State({**state.tensors, **moved})
    assert outputs(child, state, True).equal(outputs(child, other, True))


def test_every_network_of_a_candidate_has_tensors_of_its_own(seed: Genome, trained: Train):
    pair = Genome({"actor": seed.architecture["net"], "critic": seed.architecture["net"]})
    alone = trained(seed, 0).tensors
    parent = State({f"{name}.{key}": alone[key] for name in pair.architecture for key in alone})
    child = edited(pair, "widen", "critic/a", part=0, channels=2)
    state = inherit(MUTATIONS, child, [(pair, parent)], stream(0))
    assert state.tensors["actor.a.weight"].shape[0] == 4
    assert state.tensors["critic.a.weight"].shape[0] == 6
    assert state.tensors.keys() == parent.tensors.keys()
