from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph, Node
from evonas.morph.dense import InsertDense
from evonas.seeds import Rng, stream
from evonas.state import State

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]
Gradients = Callable[[Genome, State], dict[str, Tensor]]

WINDOW = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1]}
CONV = {**WINDOW, "groups": 1, "bias": False}
ARGS = {"kind": "relu", "channels": 2, "kernel": [3, 3]}


def frontier(*more: Node) -> Genome:
    """Return a network in which `a` reaches two convolutions, one behind everything that passes."""
    nodes = (
        Node("x", "input", (), {"shape": [3, 6, 6]}),
        Node("stem", "conv", ("x",), {**CONV, "out": 4}),
        Node("a", "act", ("stem",), {"kind": "relu"}),
        Node("near", "conv", ("a",), {**CONV, "out": 3}),
        Node("bn", "bn", ("a",), {"eps": 1e-5, "momentum": 0.1}),
        Node("dw", "depthwise", ("bn",), {**WINDOW, "bias": True}),
        Node("se", "se", ("dw",), {"squeeze": 2}),
        Node("twice", "concat", ("se", "near", "se")),
        *more,
        Node("flat", "flatten", (more[-1].id if more else "twice",)),
        Node("fc", "linear", ("flat",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    return Genome({"net": LayerGraph(nodes)})


@pytest.mark.parametrize("training", [False, True])
def test_a_dense_insertion_keeps_the_function(
    training: bool, random_genome: Draw, trained: Train, outputs: Compute
):
    for seed in range(8):
        rng = stream(seed)
        genome = random_genome(rng)
        state = trained(genome, seed)
        edit = InsertDense().propose(genome, rng)
        assert edit is not None
        child = InsertDense().apply(genome, edit)
        grown = InsertDense().inherit(genome, child, edit, state, rng)
        before, after = outputs(genome, state, training), outputs(child, grown, training)
        assert (before - after).abs().max() < 1e-9 * (1 + before.abs().max())


def test_every_reader_behind_norms_and_joins_gets_columns_of_zeros_in_front(
    trained: Train, outputs: Compute
):
    genome = frontier()
    state = trained(genome, 0)
    edit = genome.edit("insert-dense", "net/a", **ARGS)
    child = InsertDense().apply(genome, edit)
    grown = InsertDense().inherit(genome, child, edit, state, stream(0))
    assert not grown.tensors["near.weight"][:, :2].any()
    assert grown.tensors["near.weight"][:, 2:].equal(state.tensors["near.weight"])
    columns = grown.tensors["fc.weight"].unflatten(1, (15, 36))
    assert [c for c in range(15) if not columns[:, c].any()] == [0, 1, 9, 10]
    assert not grown.tensors["se.reduce.weight"][:, :2].any()
    before = outputs(genome, state, True)
    torch.testing.assert_close(before, outputs(child, grown, True), rtol=1e-9, atol=1e-9)


def test_the_columns_move_at_the_first_step_and_the_layer_at_the_second(
    trained: Train, gradients: Gradients
):
    genome = frontier()
    edit = genome.edit("insert-dense", "net/a", **ARGS)
    child = InsertDense().apply(genome, edit)
    state = InsertDense().inherit(genome, child, edit, trained(genome, 0), stream(0))
    first = gradients(child, state)
    new = f"conv_dense_{edit.id}.weight"
    assert first["near.weight"][:, :2].any()
    assert not first[new].any()
    moved = {name: state.tensors[name] - 0.1 * gradient for name, gradient in first.items()}
    assert gradients(child, State({**state.tensors, **moved}))[new].any()


@pytest.mark.parametrize(
    ("readers", "match"),
    [
        ([Node("z", "act", ("twice",), {"kind": "relu"}, frozen=True)], "frozen"),
        ([Node("z", "conv", ("twice",), {**CONV, "out": 11, "groups": 11})], "grouped"),
        ([Node("s", "lerp", ("stem", "a")), Node("z", "concat", ("s", "twice"))], "one side"),
    ],
)
def test_a_reader_that_cannot_take_more_channels_refuses_the_insertion(
    readers: list[Node], match: str
):
    genome = frontier(*readers)
    genome.architecture["net"].validate()
    with pytest.raises(EditError, match=match):
        InsertDense().apply(genome, genome.edit("insert-dense", "net/a", **ARGS))
