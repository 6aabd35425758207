"""EENA's published operators do what their exactness flags say, and their known defects show."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from evonas.genome import Genome
from evonas.morph.literal import LiteralDense, LiteralInsert, LiteralShortcut
from evonas.morph.literal_widen import LiteralWiden
from evonas.morph.mutation import Mutation
from evonas.seeds import stream
from evonas.state import State

Make = Callable[..., Genome]
Model = Callable[[Genome, State], nn.Module]
Train = Callable[..., State]
Batch = Callable[..., Tensor]
EVERY = [LiteralInsert(), LiteralShortcut(), LiteralDense(), LiteralWiden()]


def _child(mutation: Mutation, genome: Genome, state: State) -> tuple[Genome, State]:
    edit = mutation.propose(genome, stream(0))
    assert edit is not None
    after = mutation.apply(genome, edit)
    return after, mutation.inherit(genome, after, edit, state, stream(1))


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("mutation", EVERY, ids=lambda value: type(value).__name__)
def test_the_exactness_that_is_declared_is_the_exactness_there_is(
    mutation: Mutation,
    training: bool,
    pictures: Make,
    model_of: Model,
    train: Train,
    batch_for: Batch,
):
    genome = pictures()
    state = train(genome)
    after, inherited = _child(mutation, genome, state)
    x = batch_for(genome)
    expected = model_of(genome, state).train(training)(x)
    error = (model_of(after, inherited).train(training)(x) - expected).abs().max()
    is_exact = bool(error <= 1e-9 * (1 + expected.abs().max()))
    assert is_exact == (mutation.exact_in_training if training else mutation.exact)


@pytest.mark.parametrize(
    "mutation", [LiteralShortcut(), LiteralDense()], ids=lambda value: type(value).__name__
)
def test_a_convolution_of_zeros_before_batch_norm_and_relu_is_dead(
    mutation: Mutation, pictures: Make, train: Train
):
    genome = pictures()
    state = train(genome)
    after, inherited = _child(mutation, genome, state)
    trained = train(after, inherited, steps=10)
    new = [name for name in inherited.tensors if name not in state.tensors]
    weights = [name for name in new if name.endswith("weight") and "conv" in name]
    assert weights
    assert not any(trained.tensors[name].any() for name in weights)


def test_the_noise_of_copies_has_one_sign_and_its_bound(vectors: Make, train: Train):
    genome = vectors()
    state = train(genome)
    edit = LiteralWiden().propose(genome, stream(0))
    assert edit is not None
    after = LiteralWiden().apply(genome, edit)
    inherited = LiteralWiden().inherit(genome, after, edit, state, stream(1))
    before, wider = state.tensors["head.weight"].sum(1), inherited.tensors["head.weight"].sum(1)
    assert inherited.tensors["head.weight"].shape == (3, 8)
    bound = 0.05 * state.tensors["head.weight"].abs().sum(1)
    assert ((wider - before).abs() <= bound).all()
    assert not torch.equal(wider, before)


def test_an_inserted_batch_norm_is_the_identity_by_its_own_epsilon(pictures: Make, train: Train):
    genome = pictures()
    _, inherited = _child(LiteralInsert(), genome, train(genome))
    found = [t for n, t in inherited.tensors.items() if "bn_insert" in n and n.endswith("weight")]
    assert found
    for weight in found:
        torch.testing.assert_close(weight, torch.full_like(weight, 1.001**0.5))
