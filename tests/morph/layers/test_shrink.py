from collections.abc import Callable
from dataclasses import replace

import pytest
from torch import Tensor, nn

from evonas.errors import EditError
from evonas.genome import Edit, Genome, Node
from evonas.morph.insert_layer import InsertLayer
from evonas.morph.mutation import Mutation
from evonas.morph.shortcut import InsertShortcut
from evonas.morph.shrink import RemoveLayer, RemoveSkip
from evonas.morph.squeeze_excite import AddSqueezeExcite
from evonas.seeds import stream
from evonas.state import State

Make = Callable[..., Genome]
Model = Callable[[Genome, State], nn.Module]
Train = Callable[..., State]
Batch = Callable[..., Tensor]


def _edited(mutation: Mutation, genome: Genome, seed: int = 0) -> Genome:
    edit = mutation.propose(genome, stream(seed))
    assert edit is not None
    return mutation.apply(genome, edit)


def _ids(genome: Genome) -> set[str]:
    return set(genome.architecture["net"].by_id)


@pytest.mark.parametrize(
    ("insertion", "op", "removal"),
    [
        (InsertLayer(), "lerp", RemoveLayer()),
        (AddSqueezeExcite(), "se", RemoveLayer()),
        (InsertShortcut(), "add", RemoveSkip()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_inserted_can_be_removed(
    insertion: Mutation, op: str, removal: Mutation, pictures: Make
):
    genome = pictures()
    larger = _edited(insertion, genome)
    target = next(e.targets[0] for e in larger.edits)
    made = next(n for n in larger.architecture["net"].nodes if n.op == op)
    site = f"net/*.{made.local}" if target.startswith("net/*") else f"net/{made.id}"
    name = "remove-layer" if isinstance(removal, RemoveLayer) else "remove-skip"
    args = {} if isinstance(removal, RemoveLayer) else {"port": 1}
    smaller = removal.apply(larger, larger.edit(name, site, **args))
    assert smaller.architecture["net"].key == genome.architecture["net"].key
    assert len(smaller.edits) == 2


def test_a_plain_layer_goes_with_its_batch_norm_and_activation_in_every_mirrored_block(
    pictures: Make, train: Train, model_of: Model, batch_for: Batch
):
    genome = pictures()
    state = train(genome)
    edit = genome.edit("remove-layer", "net/*.conv2")
    after = RemoveLayer().apply(genome, edit)
    gone = {f"block{b}.{local}2" for b in (1, 2) for local in ("conv", "bn", "act")}
    assert _ids(genome) - _ids(after) == gone
    inherited = RemoveLayer().inherit(genome, after, edit, state, stream(0))
    assert set(inherited.slots["momentum_buffer"]) < set(state.slots["momentum_buffer"])
    assert model_of(after, inherited)(batch_for(genome)).shape == (9, 3)


def test_the_removed_summand_takes_along_what_fed_nothing_else(pictures: Make):
    larger = _edited(InsertShortcut(), pictures())
    total = next(n for n in larger.architecture["net"].nodes if n.op == "add")
    where = f"*.{total.local}" if total.block else total.id
    smaller = RemoveSkip().apply(larger, larger.edit("remove-skip", f"net/{where}", port=1))
    smaller.architecture["net"].validate()
    assert not any(n.op in {"add", "scale"} for n in smaller.architecture["net"].nodes)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("net/stem", "changes the shape"),
        ("net/head", "changes the shape"),
        ("net/pool", "no layer that can be removed"),
        ("net/nowhere", "no layer 'nowhere'"),
        ("critic/stem", "no graph 'critic'"),
    ],
)
def test_what_cannot_be_removed_is_refused_with_the_reason(
    target: str, reason: str, pictures: Make
):
    genome = pictures()
    with pytest.raises(EditError, match=reason):
        RemoveLayer().apply(genome, genome.edit("remove-layer", target))


def test_a_frozen_layer_is_not_cut_off(pictures: Make):
    genome = _edited(InsertShortcut(), pictures())
    graph = genome.architecture["net"]
    frozen = [replace(node, frozen=True) for node in graph.nodes if node.op == "scale"]
    genome = genome.with_graph("net", graph.with_nodes(frozen))
    total = next(n for n in graph.nodes if n.op == "add")
    where = f"*.{total.local}" if total.block else total.id
    with pytest.raises(EditError, match="must stay"):
        RemoveSkip().apply(genome, genome.edit("remove-skip", f"net/{where}", port=1))


def test_a_layer_inside_a_gated_branch_goes_with_its_gate_only(vectors: Make):
    genome = _edited(InsertLayer(), vectors())
    branch = next(n for n in genome.architecture["net"].nodes if n.id.startswith("linear_layer"))
    with pytest.raises(EditError, match="gated branch"):
        RemoveLayer().apply(genome, genome.edit("remove-layer", f"net/{branch.id}"))


@pytest.mark.parametrize("seed", range(5))
def test_random_removals_leave_a_network_and_replay(seed: int, pictures: Make):
    start = genome = pictures()
    mutations = [InsertLayer(), InsertShortcut(), InsertShortcut(), RemoveSkip(), RemoveLayer()]
    by_name = {
        "insert-layer": mutations[0],
        "insert-shortcut": mutations[1],
        "remove-skip": mutations[3],
        "remove-layer": mutations[4],
    }
    for step, mutation in enumerate(mutations * 2):
        edit = mutation.propose(genome, stream(seed, step))
        genome = mutation.apply(genome, edit) if edit else genome
        genome.architecture["net"].validate()
    assert {edit.operator for edit in genome.edits} == set(by_name)
    replayed = start
    for edit in genome.edits:
        replayed = by_name[edit.operator].apply(replayed, Edit.from_json(edit.to_json()))
    assert replayed == genome


def test_an_even_kernel_has_no_centre_and_is_no_removable_layer_of_equal_shape(pictures: Make):
    genome = pictures()
    graph = genome.architecture["net"]
    conv = graph["block1.conv2"]
    even = Node(conv.id, "conv", conv.inputs, {**conv.params, "kernel": [4, 4]})
    genome = genome.with_graph("net", replace(graph.with_nodes([even]), mirrors=()))
    with pytest.raises(EditError, match="changes the shape"):
        RemoveLayer().apply(genome, genome.edit("remove-layer", "net/block1.conv2"))


def test_a_removal_that_would_make_mirrored_blocks_differ_is_refused(pictures: Make):
    genome = pictures()
    graph = genome.architecture["net"]
    around = [
        Node("sum", "add", ("block2.act2", "pool")),
        replace(graph["gap"], inputs=("sum",)),
    ]
    genome = genome.with_graph("net", graph.with_nodes(around))
    with pytest.raises(EditError, match="no mirror image"):
        RemoveSkip().apply(genome, genome.edit("remove-skip", "net/sum", port=0))


@pytest.mark.parametrize("seed", range(5))
def test_no_scaled_branch_is_left_alone(seed: int, pictures: Make):
    genome = _edited(InsertShortcut(), pictures())
    edit = RemoveSkip().propose(genome, stream(seed))
    assert edit is not None
    assert edit.args["port"] == 1
