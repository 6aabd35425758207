from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.morph.mutation import Mutation
from evonas.morph.widen import Widen, WidenCopies
from evonas.seeds import Rng, stream
from evonas.state import State

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]
Gradients = Callable[[Genome, State], dict[str, Tensor]]

WIDENINGS = [Widen(), WidenCopies(), WidenCopies(share=0.5, noise=0.2)]
WINDOW = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1]}
CONV = {**WINDOW, "groups": 1, "bias": True}
NORM = {"eps": 1e-5, "momentum": 0.1}


def plain(channels: int = 4, **changed: Any) -> Genome:
    """Return input, convolution, batch norm, activation, convolution, head."""
    nodes = (
        Node("x", "input", (), {"shape": [3, 6, 6]}),
        Node("a", "conv", ("x",), {**CONV, "out": channels, **changed}),
        Node("bn", "bn", ("a",), NORM),
        Node("act", "act", ("bn",), {"kind": "silu"}),
        Node("b", "conv", ("act",), {**CONV, "out": 5}),
        Node("gap", "gap", ("b",)),
        Node("fc", "linear", ("gap",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    return Genome({"net": LayerGraph(nodes)})


def born(mutation: Mutation, genome: Genome, edit: Edit, state: State) -> tuple[Genome, State]:
    child = mutation.apply(genome, edit)
    return child, mutation.inherit(genome, child, edit, state, stream(3, edit.id))


def split(genome: Genome, **args: Any) -> Edit:
    """Return the edit that splits two of the four channels of `a` into copies."""
    given = {"part": 0, "channels": 2, "share": 0.7, "noise": 0.0, **args}
    return genome.edit("widen-copies", "net/a", **given)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mutation", WIDENINGS)
def test_a_widened_network_computes_the_same_function(
    mutation: Mutation,
    training: bool,
    random_genome: Draw,
    trained: Train,
    outputs: Compute,
):
    for seed in range(12):
        rng = stream(seed)
        genome = random_genome(rng)
        state = trained(genome, seed)
        edit = mutation.propose(genome, rng)
        assert edit is not None
        child, grown = born(mutation, genome, edit, state)
        before, after = outputs(genome, state, training), outputs(child, grown, training)
        assert (before - after).abs().max() < 1e-9 * (1 + before.abs().max())
        assert sum(t.numel() for t in grown.tensors.values()) > sum(
            t.numel() for t in state.tensors.values()
        )


def test_running_statistics_of_copies_are_copied_not_divided(trained: Train):
    genome = plain()
    state = trained(genome, 0)
    _, grown = born(WidenCopies(), genome, split(genome), state)
    for name in ("running_mean", "running_var", "weight", "bias"):
        old, new = state.tensors[f"bn.{name}"], grown.tensors[f"bn.{name}"]
        assert set(new.tolist()) == set(old.tolist())
        assert len(new) == 6
    counter = "bn.num_batches_tracked"
    assert grown.tensors[counter].equal(state.tensors[counter])


def test_the_columns_of_copies_sum_to_the_old_column(trained: Train):
    genome = plain()
    state = trained(genome, 0)
    edit = split(genome, channels=4, noise=0.3)
    _, grown = born(WidenCopies(), genome, edit, state)
    pairs = grown.tensors["b.weight"].unflatten(1, (4, 2))
    torch.testing.assert_close(pairs.sum(2), state.tensors["b.weight"], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(pairs[:, :, 0] / pairs[:, :, 1], torch.tensor(0.7 / 0.3).double())


def steps(genome: Genome, state: State, gradients: Gradients, count: int) -> State:
    for _ in range(count):
        change = gradients(genome, state)
        moved = {name: state.tensors[name] - 0.1 * gradient for name, gradient in change.items()}
        state = replace(state, tensors={**state.tensors, **moved})
    return state


@pytest.mark.parametrize(("share", "parts"), [(0.5, False), (0.7, True)])
def test_only_unequal_shares_let_copies_part(
    share: float, parts: bool, trained: Train, gradients: Gradients
):
    genome = plain()
    edit = split(genome, channels=4, share=share)
    child, grown = born(WidenCopies(), genome, edit, trained(genome, 0))
    weight = steps(child, grown, gradients, 5).tensors["a.weight"].unflatten(0, (4, 2))
    assert bool((weight[:, 0] - weight[:, 1]).abs().max() > 1e-4) == parts


def test_twins_part_in_training(trained: Train, gradients: Gradients):
    genome = plain()
    edit = genome.edit("widen", "net/a", part=0, channels=2)
    child, grown = born(Widen(), genome, edit, trained(genome, 0))
    assert grown.tensors["a.weight"][4].equal(grown.tensors["a.weight"][5])
    weight = steps(child, grown, gradients, 5).tensors["a.weight"]
    assert (weight[4] - weight[5]).abs().max() > 1e-3


def test_the_gradient_of_copies_is_the_mapped_gradient_of_the_parent(
    random_genome: Draw, trained: Train, gradients: Gradients
):
    for seed in range(8):
        rng = stream(seed, "dual")
        genome = random_genome(rng)
        state = trained(genome, seed)
        slots = {"momentum_buffer": gradients(genome, state)}
        edit = WidenCopies().propose(genome, rng)
        assert edit is not None
        child, grown = born(WidenCopies(), genome, edit, State(state.tensors, slots))
        for name, gradient in gradients(child, grown).items():
            mapped = grown.slots["momentum_buffer"][name]
            torch.testing.assert_close(mapped, gradient, rtol=1e-9, atol=1e-11)


def test_plain_sgd_with_dual_rates_follows_the_parent_exactly(
    trained: Train, gradients: Gradients, outputs: Compute
):
    genome = plain()
    state = trained(genome, 0)
    ones = {name: torch.ones_like(tensor) for name, tensor in state.tensors.items()}
    edit = split(genome, channels=3)
    child, grown = born(WidenCopies(), genome, edit, state)
    _, shares = born(WidenCopies(), genome, edit, State(ones, {"momentum_buffer": ones}))
    rows = shares.slots["momentum_buffer"]
    for _ in range(10):
        change = gradients(genome, state)
        moved = {name: state.tensors[name] - 0.05 * g for name, g in change.items()}
        state = replace(state, tensors={**state.tensors, **moved})
        change = gradients(child, grown)
        rates = {name: 0.05 * shares.tensors[name] / rows[name] for name in change}
        moved = {name: grown.tensors[name] - rates[name] * g for name, g in change.items()}
        grown = replace(grown, tensors={**grown.tensors, **moved})
    torch.testing.assert_close(
        outputs(genome, state, True), outputs(child, grown, True), rtol=1e-9, atol=1e-9
    )


def test_optimizer_slots_follow_the_dual_rule():
    genome = plain(bias=False)
    ones = {"a.weight": torch.ones(4, 3, 3, 3), "b.weight": torch.ones(5, 4, 3, 3)}
    slots = {slot: dict(ones) for slot in ("momentum_buffer", "exp_avg", "exp_avg_sq")}
    slots["step"] = {name: torch.tensor(7.0) for name in ones}
    slots["factored"] = {name: torch.ones(3) for name in ones}
    _, grown = born(WidenCopies(), genome, split(genome, channels=4), State(ones, slots))
    shares = {
        slot: grown.slots[slot]["a.weight"][:2, 0, 0, 0].tolist()
        for slot in slots
        if slot in ("momentum_buffer", "exp_avg", "exp_avg_sq")
    }
    assert shares["momentum_buffer"] == shares["exp_avg"] == pytest.approx([0.7, 0.3])
    assert shares["exp_avg_sq"] == pytest.approx([0.49, 0.09])
    for slot in shares:
        assert grown.slots[slot]["b.weight"].equal(torch.ones(5, 8, 3, 3))
    assert grown.slots["step"] == slots["step"]
    assert grown.slots["factored"] == {}


def test_new_channels_have_no_momentum(trained: Train):
    genome = plain()
    state = trained(genome, 0)
    edit = genome.edit("widen", "net/a", part=0, channels=2)
    _, grown = born(Widen(), genome, edit, state)
    momentum = grown.slots["momentum_buffer"]
    assert not momentum["a.weight"][4:].any()
    assert not momentum["b.weight"][:, 4:].any()
    assert momentum["a.weight"][:4].equal(state.slots["momentum_buffer"]["a.weight"])


@pytest.mark.parametrize("mutation", WIDENINGS)
def test_weights_keep_their_type_and_their_function_in_float32(
    mutation: Mutation, trained: Train, outputs: Compute
):
    genome = plain()
    state = trained(genome, 1)
    single = {name: t.float() if t.is_floating_point() else t for name, t in state.tensors.items()}
    edit = mutation.propose(genome, stream(0))
    assert edit is not None
    child, grown = born(mutation, genome, edit, State(single))
    assert {n: t.dtype for n, t in grown.tensors.items()} == {n: t.dtype for n, t in single.items()}
    before = outputs(genome, State(single), False)
    assert (before - outputs(child, grown, False)).abs().max() < 1e-5 * (1 + before.abs().max())


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (Edit("widen", ("net/a",), {"part": 0, "channels": 3}), "twins"),
        (Edit("widen", ("net/a",), {"part": 0, "channels": 0}), "no number"),
        (Edit("widen", ("net/a",), {"part": 1, "channels": 2}), "1 groups"),
        (Edit("widen", ("net/z",), {"part": 0, "channels": 2}), "no layer"),
        (Edit("widen", ("other/a",), {"part": 0, "channels": 2}), "no graph"),
        (Edit("widen", ("net/fc",), {"part": 0, "channels": 2}), "0 groups"),
    ],
)
def test_an_edit_that_does_not_apply_is_refused(edit: Edit, match: str):
    with pytest.raises(EditError, match=match):
        Widen().apply(plain(), edit)


def mirrored(tied: bool) -> Genome:
    """Return two mirrored blocks, whose sums tie a layer of each to the stem if asked."""
    nodes = [
        Node("x", "input", (), {"shape": [3, 6, 6]}),
        Node("stem", "conv", ("x",), {**CONV, "out": 4}),
    ]
    for block, source in (("one", "stem"), ("two", "one.out")):
        nodes += [
            Node(f"{block}.a", "conv", (source,), {**CONV, "out": 4}),
            Node(f"{block}.b", "conv", (f"{block}.a",), {**CONV, "out": 4}),
            Node(f"{block}.out", "add", (f"{block}.b", source if tied else f"{block}.b")),
        ]
    nodes += [
        Node("gap", "gap", ("two.out",)),
        Node("fc", "linear", ("gap",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    ]
    return Genome({"net": LayerGraph(tuple(nodes), ("one", "two"))})


@pytest.mark.parametrize(
    ("tied", "layer", "wide"),
    [
        (False, "a", {"one.a", "two.a"}),
        (False, "b", {"one.b", "two.b"}),
        (True, "b", {"stem", "one.b", "two.b"}),
    ],
)
def test_mirrored_blocks_are_widened_alike(
    tied: bool, layer: str, wide: set[str], trained: Train, outputs: Compute
):
    genome = mirrored(tied)
    state = trained(genome, 0)
    edit = genome.edit("widen", f"net/*.{layer}", part=0, channels=2)
    child, grown = born(Widen(), genome, edit, state)
    graph = child.architecture["net"]
    assert {node.id for node in graph.nodes if node.params.get("out") == 6} == wide
    before = outputs(genome, state, True)
    torch.testing.assert_close(before, outputs(child, grown, True), rtol=1e-9, atol=1e-9)


def test_mirrored_blocks_have_weights_of_their_own(trained: Train):
    genome = mirrored(tied=False)
    edit = genome.edit("widen", "net/*.a", part=0, channels=2)
    _, grown = born(Widen(), genome, edit, trained(genome, 0))
    assert not grown.tensors["one.a.weight"][4:].equal(grown.tensors["two.a.weight"][4:])


def test_the_graph_needs_no_random_numbers():
    genome = plain()
    edit = split(genome)
    one, other = WidenCopies().apply(genome, edit), WidenCopies().apply(genome, edit)
    assert one == other
    assert Edit.from_json(edit.to_json()).id == edit.id
