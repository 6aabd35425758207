"""Where the operators on layers refuse, and how far they go."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from evonas.errors import EditError
from evonas.genome import Edit, Genome, Node
from evonas.morph.grow_kernel import GrowKernel
from evonas.morph.insert_layer import InsertIdentity, InsertLayer
from evonas.morph.mutation import Mutation
from evonas.morph.separable import InsertSeparable
from evonas.morph.shortcut import InsertShortcut
from evonas.morph.skip import AddSkip
from evonas.seeds import stream

Make = Callable[..., Genome]
ANYWHERE = [InsertLayer(), InsertIdentity(), InsertShortcut()]


def proposed_by(mutation: Mutation, genome: Genome, seed: int) -> Edit:
    edit = mutation.propose(genome, stream(seed, "propose"))
    assert edit is not None
    return edit


def test_an_even_kernel_does_not_grow(pictures: Make):
    genome = pictures()
    graph = genome.architecture["net"]
    params = {**graph["block1.conv2"].params, "kernel": [2, 3], "padding": [0, 1]}
    even = Node("even", "conv", ("block1.act2",), params)
    joined = Node("gap1", "gap", ("even",))
    both = Node("both", "concat", ("gap", "gap1"))
    head = Node("head", "linear", ("both",), graph["head"].params)
    genome = genome.with_graph("net", graph.with_nodes([even, joined, both, head]))
    with pytest.raises(EditError, match="odd kernel"):
        GrowKernel().apply(genome, genome.edit("grow-kernel", "net/even", axes=[1, 1]))
    GrowKernel().apply(genome, genome.edit("grow-kernel", "net/even", axes=[0, 1]))


def test_a_frozen_layer_does_not_grow(pictures: Make):
    genome = pictures()
    with pytest.raises(EditError, match="not frozen"):
        GrowKernel().apply(genome, genome.edit("grow-kernel", "net/stem", axes=[1, 1]))
    targets = {proposed_by(GrowKernel(), genome, seed).targets[0] for seed in range(20)}
    assert targets == {"net/*.conv1", "net/*.conv2"}


def test_nothing_is_inserted_between_frozen_layers(vectors: Make):
    genome = vectors()
    graph = genome.architecture["net"]
    frozen = genome.with_graph("net", graph.with_nodes([replace(graph["act"], frozen=True)]))
    assert InsertLayer().propose(genome, stream(0)) is not None
    assert InsertLayer().propose(frozen, stream(0)) is None


def test_a_skip_never_closes_a_cycle(pictures: Make):
    genome = pictures()
    forward = genome.edit("add-skip", "net/*.act2", "net/*.act1")
    AddSkip().apply(genome, forward).architecture["net"].validate()
    backward = genome.edit("add-skip", "net/*.act1", "net/*.act2")
    with pytest.raises(EditError, match="no skip connection"):
        AddSkip().apply(genome, backward)


def test_a_skip_does_not_cross_a_pool_or_leave_a_mirrored_block(pictures: Make):
    genome = pictures()
    for early in ("net/act", "net/pool"):
        with pytest.raises(EditError, match="no skip connection"):
            AddSkip().apply(genome, genome.edit("add-skip", "net/*.act2", early))


def test_kernels_stay_within_what_the_map_can_show(pictures: Make):
    tiny = pictures()
    graph = tiny.architecture["net"]
    tiny = tiny.with_graph(
        "net", graph.with_nodes([replace(graph["x"], params={"shape": [2, 2, 2]})])
    )
    assert tiny.architecture["net"].shapes["block2.act2"] == (4, 1, 1)
    for seed in range(10):
        edit = proposed_by(InsertSeparable(kernels=(3, 5)), tiny, seed)
        small = "block2" in edit.targets[0] or "*" in edit.targets[0] or "pool" in edit.targets[0]
        assert edit.args["kernel"] == ([1, 1] if small else [3, 3])
        assert GrowKernel().propose(tiny, stream(seed)) is None


def test_an_edit_of_a_graph_that_is_not_there_is_refused(pictures: Make):
    genome = pictures()
    edit = genome.edit("insert-layer", "critic/act", kind="relu", kernel=[3, 3])
    with pytest.raises(EditError, match="no graph 'critic'"):
        InsertLayer().apply(genome, edit)


@pytest.mark.parametrize("mutation", ANYWHERE, ids=lambda value: type(value).__name__)
def test_the_number_of_layers_is_bounded(mutation: Mutation, pictures: Make):
    genome = pictures()
    limit = 7  # six there are: an edit of the mirrored blocks would add two
    bounded = replace(mutation, max_layers=limit)  # pyright: ignore[reportArgumentType]
    targets = {edit.targets[0] for s in range(20) if (edit := bounded.propose(genome, stream(s)))}
    assert targets
    assert not any("*" in target for target in targets)
