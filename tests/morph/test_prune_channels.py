from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph, Node
from evonas.morph.build import build
from evonas.morph.prune_channels import PruneChannels
from evonas.morph.widen import Widen
from evonas.seeds import Rng, stream
from evonas.state import State

Draw = Callable[[Rng], Genome]
Train = Callable[[Genome, int], State]
Compute = Callable[[Genome, State, bool], Tensor]

WINDOW = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1]}
CONV = {**WINDOW, "groups": 1, "bias": False}


def residual() -> Genome:
    """Return a network with a sum, whose channels two layers make."""
    nodes = (
        Node("x", "input", (), {"shape": [3, 6, 6]}),
        Node("a", "conv", ("x",), {**CONV, "out": 6}),
        Node("b", "conv", ("a",), {**CONV, "out": 6}),
        Node("bn", "bn", ("b",), {"eps": 1e-5, "momentum": 0.1}),
        Node("sum", "add", ("a", "bn")),
        Node("flat", "flatten", ("sum",)),
        Node("fc", "linear", ("flat",), {"out": 3, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    return Genome({"net": LayerGraph(nodes)})


def pruned(genome: Genome, state: State, channels: int) -> tuple[Genome, State]:
    edit = genome.edit("prune-channels", "net/a", part=0, channels=channels)
    child = PruneChannels().apply(genome, edit)
    return child, PruneChannels().inherit(genome, child, edit, state, stream(0))


def silenced(state: State, channels: list[int], but: str = "") -> State:
    """Return the state with zeros for all that makes these channels, `but` one tensor."""
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    for name in {"a.weight", "b.weight", "bn.weight", "bn.bias"} - {but}:
        tensors[name][channels] = 0.0
    return State(tensors, state.slots)


def test_channels_that_every_maker_and_norm_has_silenced_go_without_a_trace(
    trained: Train, outputs: Compute
):
    genome = residual()
    state = silenced(trained(genome, 0), [1, 4])
    child, smaller = pruned(genome, state, 2)
    before = outputs(genome, state, True)
    torch.testing.assert_close(before, outputs(child, smaller, True), rtol=1e-9, atol=1e-9)


def test_a_shift_left_in_the_norm_is_missed_when_its_channel_goes(trained: Train, outputs: Compute):
    genome = residual()
    state = silenced(trained(genome, 0), [1, 4], but="bn.bias")
    child, smaller = pruned(genome, state, 2)
    assert (outputs(genome, state, False) - outputs(child, smaller, False)).abs().max() > 1e-3


def test_the_weakest_channels_by_the_norms_of_all_their_makers_go(trained: Train):
    genome = residual()
    state = trained(genome, 0)
    norms = sum(state.tensors[f"{maker}.weight"].abs().sum((1, 2, 3)) for maker in "ab")
    assert isinstance(norms, Tensor)
    _, smaller = pruned(genome, state, 2)
    kept = norms.argsort()[2:].sort().values
    assert smaller.tensors["a.weight"].equal(state.tensors["a.weight"][kept])
    assert smaller.tensors["b.weight"].equal(state.tensors["b.weight"][kept][:, kept])
    momentum = smaller.slots["momentum_buffer"]["bn.weight"]
    assert momentum.equal(state.slots["momentum_buffer"]["bn.weight"][kept])


def test_the_state_fits_the_graph_whichever_channels_go(random_genome: Draw, trained: Train):
    for seed in range(8):
        rng = stream(seed)
        genome = random_genome(rng)
        mutation = PruneChannels(least=1)
        edit = mutation.propose(genome, rng)
        assert edit is not None
        child = mutation.apply(genome, edit)
        state = mutation.inherit(genome, child, edit, trained(genome, seed), rng)
        build(child).load_state_dict(dict(state.tensors))
        assert all(
            values[name].ndim == 0 or values[name].shape == state.tensors[name].shape
            for values in state.slots.values()
            for name in values
        )


def test_pruning_undoes_the_widths_of_widening():
    genome = residual()
    wide = Widen().apply(genome, genome.edit("widen", "net/a", part=0, channels=2))
    edit = wide.edit("prune-channels", "net/a", part=0, channels=2)
    assert PruneChannels().apply(wide, edit).key == genome.key


@pytest.mark.parametrize("channels", [0, 6])
def test_pruning_nothing_or_everything_is_refused(channels: int):
    genome = residual()
    with pytest.raises(EditError):
        PruneChannels().apply(
            genome, genome.edit("prune-channels", "net/a", part=0, channels=channels)
        )


def test_a_group_keeps_the_least_number_of_channels():
    assert PruneChannels(least=6).propose(residual(), stream(0)) is None
