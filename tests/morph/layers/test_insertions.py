"""The promises of every mutation that inserts layers or grows kernels."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from evonas.genome import Edit, Genome, Node
from evonas.genome.shapes import ACTIVATIONS, IDEMPOTENT
from evonas.morph.grow_kernel import GrowKernel
from evonas.morph.insert_layer import InsertIdentity, InsertLayer
from evonas.morph.mutation import Mutation
from evonas.morph.separable import InsertSeparable
from evonas.morph.shortcut import InsertShortcut
from evonas.morph.skip import AddSkip
from evonas.morph.squeeze_excite import AddSqueezeExcite
from evonas.seeds import stream
from evonas.state import State

ANYWHERE = [InsertLayer(), InsertIdentity(), InsertShortcut()]
ON_PICTURES = [InsertSeparable(), AddSqueezeExcite(), AddSkip(), GrowKernel()]
EVERY = [*ANYWHERE, *ON_PICTURES]
CASES = [(mutation, True) for mutation in EVERY] + [(mutation, False) for mutation in ANYWHERE]
Make = Callable[..., Genome]
Model = Callable[[Genome, State], nn.Module]
Train = Callable[..., State]
Batch = Callable[..., Tensor]


def _name(case: object) -> str:
    names = {True: "pictures", False: "vectors"}
    return names[case] if isinstance(case, bool) else type(case).__name__


def _parent(pictures: Make, vectors: Make, is_picture: bool, kind: str = "relu") -> Genome:
    return pictures(kind) if is_picture else vectors(kind)


def _edit(mutation: Mutation, genome: Genome, seed: int = 0) -> Edit:
    edit = mutation.propose(genome, stream(seed, "propose"))
    assert edit is not None
    return edit


def _child(
    mutation: Mutation, genome: Genome, state: State, seed: int = 0
) -> tuple[Genome, State, Edit]:
    edit = _edit(mutation, genome, seed)
    after = mutation.apply(genome, edit)
    return after, mutation.inherit(genome, after, edit, state, stream(seed, "inherit")), edit


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("mutation", "is_picture"), CASES, ids=_name)
def test_the_child_computes_what_its_parent_computed(
    mutation: Mutation,
    is_picture: bool,
    seed: int,
    training: bool,
    pictures: Make,
    vectors: Make,
    model_of: Model,
    train: Train,
    batch_for: Batch,
):
    genome = _parent(pictures, vectors, is_picture)
    state = train(genome)
    after, inherited, _ = _child(mutation, genome, state, seed)
    x = batch_for(genome)
    expected = model_of(genome, state).train(training)(x)
    found = model_of(after, inherited).train(training)(x)
    assert (found - expected).abs().max() <= 1e-9 * (1 + expected.abs().max())


@pytest.mark.parametrize(("mutation", "is_picture"), CASES, ids=_name)
def test_the_child_of_a_float32_parent_is_float32_and_exact_to_its_precision(
    mutation: Mutation,
    is_picture: bool,
    pictures: Make,
    vectors: Make,
    model_of: Model,
    train: Train,
    batch_for: Batch,
):
    genome = _parent(pictures, vectors, is_picture)
    state = train(genome, dtype=torch.float32)
    after, inherited, _ = _child(mutation, genome, state)
    kinds = {tensor.dtype for tensor in inherited.tensors.values()}
    assert kinds <= {torch.float32, torch.int64}
    x = batch_for(genome, dtype=torch.float32)
    expected = model_of(genome, state)(x)
    assert (model_of(after, inherited)(x) - expected).abs().max() <= 1e-5


@pytest.mark.parametrize(("mutation", "is_picture"), CASES, ids=_name)
def test_every_new_parameter_has_moved_after_two_steps(
    mutation: Mutation, is_picture: bool, pictures: Make, vectors: Make, train: Train
):
    genome = _parent(pictures, vectors, is_picture)
    state = train(genome)
    after, inherited, _ = _child(mutation, genome, state)
    moved = train(after, inherited, steps=2)
    new = [
        name
        for name, tensor in inherited.tensors.items()
        if tensor.is_floating_point() and not _same(state.tensors.get(name), tensor)
    ]
    assert new
    assert [n for n in new if torch.equal(moved.tensors[n], inherited.tensors[n])] == []


def _same(old: Tensor | None, new: Tensor) -> bool:
    return old is not None and torch.equal(old, new)


def test_the_rim_of_a_grown_kernel_moves_at_the_first_step(pictures: Make, train: Train):
    genome = pictures()
    after, inherited, _ = _child(GrowKernel(), genome, train(genome))
    moved = train(after, inherited, steps=1)
    grown = [n for n, t in inherited.tensors.items() if t.ndim == 4 and max(t.shape[2:]) == 5]
    assert len(grown) == 2
    for name in grown:
        rim = inherited.tensors[name] == 0
        assert moved.tensors[name][rim].ne(0).all()


@pytest.mark.parametrize(("mutation", "is_picture"), CASES, ids=_name)
def test_kept_parameters_keep_their_momentum_and_new_ones_start_without(
    mutation: Mutation, is_picture: bool, pictures: Make, vectors: Make, train: Train
):
    genome = _parent(pictures, vectors, is_picture)
    state = train(genome)
    after, inherited, _ = _child(mutation, genome, state)
    old, new = state.slots["momentum_buffer"], inherited.slots["momentum_buffer"]
    assert new.keys() == old.keys()
    for name, value in new.items():
        assert value.shape == inherited.tensors[name].shape
        assert torch.isclose(value.abs().sum(), old[name].abs().sum())
    assert train(after, inherited, steps=1).tensors.keys() == inherited.tensors.keys()


@pytest.mark.parametrize(("mutation", "is_picture"), CASES, ids=_name)
def test_the_parent_is_left_as_it_was(
    mutation: Mutation, is_picture: bool, pictures: Make, vectors: Make, train: Train
):
    genome = _parent(pictures, vectors, is_picture)
    state = train(genome)
    genes, tensors = deepcopy(genome.to_json()), deepcopy(dict(state.tensors))
    _child(mutation, genome, state)
    assert genome.to_json() == genes
    assert all(torch.equal(state.tensors[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(("mutation", "is_picture"), CASES, ids=_name)
def test_an_edit_read_from_json_and_replayed_makes_the_same_genome(
    mutation: Mutation, is_picture: bool, pictures: Make, vectors: Make
):
    genome = _parent(pictures, vectors, is_picture)
    after = genome
    for seed in range(4):
        edit = mutation.propose(after, stream(seed))
        after = mutation.apply(after, edit) if edit else after
    replayed = genome
    for edit in after.edits:
        replayed = mutation.apply(replayed, Edit.from_json(edit.to_json()))
    assert replayed == after
    assert Genome.from_json(after.to_json()).key == after.key != genome.key


@pytest.mark.parametrize("mutation", EVERY, ids=_name)
def test_mirrored_blocks_are_edited_together_with_weights_of_their_own(
    mutation: Mutation, pictures: Make, train: Train
):
    genome = pictures()
    state = train(genome)
    seeds = (s for s in range(50) if "net/*." in _edit(mutation, genome, s).targets[0])
    after, inherited, _ = _child(mutation, genome, state, next(seeds))
    blocks = {
        block: {(n.local, n.op) for n in after.architecture["net"].nodes if n.block == block}
        for block in ("block1", "block2")
    }
    assert blocks["block1"] == blocks["block2"]
    twins = [
        (tensor, inherited.tensors[name.replace("block1", "block2")])
        for name, tensor in inherited.tensors.items()
        if name.startswith("block1") and tensor.ndim == 4 and name not in state.tensors
    ]
    assert not any(torch.equal(*pair) for pair in twins if not isinstance(mutation, InsertIdentity))


@pytest.mark.parametrize("mutation", EVERY, ids=_name)
def test_new_weights_depend_on_the_given_generator_only(
    mutation: Mutation, pictures: Make, train: Train
):
    genome = pictures()
    state = train(genome)
    torch.manual_seed(1)
    _, first, _ = _child(mutation, genome, state)
    untouched = torch.get_rng_state()
    torch.manual_seed(2)
    _, second, _ = _child(mutation, genome, state)
    assert all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), untouched)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_a_gated_layer_is_exact_after_any_activation(
    kind: str, pictures: Make, model_of: Model, train: Train, batch_for: Batch
):
    genome = pictures(kind)
    state = train(genome)
    after, inherited, _ = _child(InsertLayer(), genome, state)
    x = batch_for(genome)
    expected = model_of(genome, state)(x)
    torch.testing.assert_close(model_of(after, inherited)(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_an_identity_is_inserted_after_idempotent_activations_only(kind: str, pictures: Make):
    proposed = InsertIdentity().propose(pictures(kind), stream(0))
    assert (proposed is not None) == (kind in IDEMPOTENT)


def test_gates_are_vectors_so_that_the_usual_rule_exempts_them_from_weight_decay(
    pictures: Make, train: Train
):
    genome = pictures()
    after, inherited, _ = _child(InsertLayer(), genome, train(genome))
    gates = [node.id for node in after.architecture["net"].nodes if node.op == "lerp"]
    assert gates
    assert all(inherited.tensors[f"{gate}.scale"].ndim == 1 for gate in gates)


@pytest.mark.parametrize(
    "params",
    [
        {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1], "dilation": [1, 1]},
        {"kernel": [3, 3], "stride": [1, 2], "padding": [0, 3], "dilation": [2, 1]},
        {"kernel": [1, 3], "stride": [1, 1], "padding": [0, 1], "dilation": [1, 2]},
    ],
    ids=["strided", "dilated", "asymmetric"],
)
@pytest.mark.parametrize("axes", [[1, 1], [1, 0], [0, 1]], ids=str)
def test_a_kernel_grows_exactly_with_stride_dilation_and_asymmetry(
    params: dict[str, list[int]],
    axes: list[int],
    pictures: Make,
    model_of: Model,
    train: Train,
    batch_for: Batch,
):
    genome = pictures()
    graph = genome.architecture["net"]
    conv = Node("odd", "conv", ("act",), {**graph["stem"].params, **params})
    rest = [
        Node("pooled", "gap", ("odd",)),
        Node("both", "concat", ("gap", "pooled")),
        Node("head", "linear", ("both",), graph["head"].params, frozen=True),
    ]
    genome = genome.with_graph("net", graph.with_nodes([conv, *rest]))
    state = train(genome)
    edit = genome.edit("grow-kernel", "net/odd", axes=axes)
    after = GrowKernel().apply(genome, edit)
    inherited = GrowKernel().inherit(genome, after, edit, state, stream(0))
    assert after.architecture["net"].shapes == genome.architecture["net"].shapes
    x = batch_for(genome)
    torch.testing.assert_close(
        model_of(after, inherited)(x), model_of(genome, state)(x), rtol=0, atol=1e-12
    )
