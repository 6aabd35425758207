from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph, Node
from evonas.morph.branch import Branch
from evonas.morph.widen import Widen
from evonas.seeds import Rng, stream
from evonas.state import State

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]

WINDOW = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1]}


def plain(**changed: object) -> Genome:
    conv = {**WINDOW, "out": 5, "groups": 1, "bias": False, **changed}
    nodes = (
        Node("x", "input", (), {"shape": [3, 6, 6]}),
        Node("a", "conv", ("x",), conv),
        Node("bn", "bn", ("a",), {"eps": 1e-5, "momentum": 0.1}),
        Node("act", "act", ("bn",), {"kind": "silu"}),
        Node("gap", "gap", ("act",)),
        Node("fc", "linear", ("gap",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    return Genome({"net": LayerGraph(nodes)})


@pytest.mark.parametrize("training", [False, True])
def test_a_branched_network_computes_the_same_function(
    training: bool, random_genome: Draw, trained: Train, outputs: Compute
):
    for seed in range(8):
        rng = stream(seed)
        genome = random_genome(rng)
        state = trained(genome, seed)
        edit = Branch().propose(genome, rng)
        assert edit is not None
        child = Branch().apply(genome, edit)
        split = Branch().inherit(genome, child, edit, state, rng)
        before, after = outputs(genome, state, training), outputs(child, split, training)
        assert (before - after).abs().max() < 1e-9 * (1 + before.abs().max())


def test_batch_norm_and_activation_are_split_with_their_layer():
    genome = plain()
    edit = genome.edit("branch", "net/a")
    child = Branch().apply(genome, edit)
    graph = child.architecture["net"]
    ops = [node.op for node in graph.nodes]
    assert ops.count("conv") == ops.count("bn") == ops.count("act") == 2
    assert [graph.shapes[name][0] for name in graph[f"concat_join_{edit.id}"].inputs] == [2, 3]
    assert graph["a"].params["out"] == 2


def test_no_parameter_and_no_momentum_is_lost_or_made(trained: Train):
    genome = plain()
    state = trained(genome, 0)
    edit = genome.edit("branch", "net/a")
    child = Branch().apply(genome, edit)
    split = Branch().inherit(genome, child, edit, state, stream(0))
    for part in ("weight", "bias"):
        right = f"bn_right_{edit.id}.{part}"
        halves = [split.tensors[f"bn.{part}"], split.tensors[right]]
        assert torch.cat(halves).equal(state.tensors[f"bn.{part}"])
        momenta = split.slots["momentum_buffer"]
        halves = [momenta[f"bn.{part}"], momenta[right]]
        assert torch.cat(halves).equal(state.slots["momentum_buffer"][f"bn.{part}"])
    assert split.to_bytes()  # safetensors refuses tensors that share memory


def test_a_sum_that_ties_a_layer_to_a_branched_one_is_widened_in_step(
    trained: Train, outputs: Compute
):
    genome = plain()
    graph = genome.architecture["net"]
    conv = replace(graph["a"], id="b")
    total = Node("sum", "add", ("b", "act"))
    genome = genome.with_graph(
        "net", graph.with_nodes([conv, total, replace(graph["gap"], inputs=("sum",))])
    )
    state = trained(genome, 0)
    before = outputs(genome, state, True)
    edits = (genome.edit("branch", "net/a"), genome.edit("widen", "net/b", part=1, channels=2))
    for mutation, edit in zip((Branch(), Widen()), edits, strict=True):
        child = mutation.apply(genome, edit)
        state = mutation.inherit(genome, child, edit, state, stream(0))
        genome = child
    shapes = genome.architecture["net"].shapes
    assert (shapes["a"][0], shapes["b"][0], shapes["sum"][0]) == (2, 7, 7)
    torch.testing.assert_close(before, outputs(genome, state, True), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("changed", [{"groups": 3, "out": 6}, {"out": 1}])
def test_a_layer_that_cannot_be_halved_is_refused(changed: dict[str, int]):
    genome = plain(**changed)
    with pytest.raises(EditError, match="cannot be split"):
        Branch().apply(genome, genome.edit("branch", "net/a"))
    assert Branch().propose(genome, stream(0)) is None
