import pytest
import torch

from evonas.errors import ConfigError
from evonas.networks import Signature
from evonas.seeds import stream
from evonas.state import State
from evonas_spaces.adopted import Adopted, small_residual_network

DIGITS = {"net": Signature((1, 8, 8), (10,))}


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def test_the_seed_starts_with_the_networks_weights_and_others_with_fresh_ones():
    space = Adopted.example()
    genome = space.seed(DIGITS)
    torch.manual_seed(3)
    original = small_residual_network()
    torch.manual_seed(3)
    model = space.build(genome)
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(model(x), original(x))
    edit = space.mutations()["widen"].propose(genome, stream(0))
    assert edit is not None
    child = space.mutations()["widen"].apply(genome, edit)
    assert not torch.allclose(space.build(child)(x), original(x), atol=1e-3)


def test_a_child_inherits_from_the_adopted_network():
    space = Adopted.example()
    genome = start = space.seed(DIGITS)
    parent = space.build(start).double()
    for step, name in enumerate(("insert-layer", "widen", "insert-shortcut", "grow-kernel")):
        edit = space.mutations()[name].propose(genome, stream(step))
        assert edit is not None
        genome = space.mutations()[name].apply(genome, edit)
    child = space.build(genome).double()
    state = space.inherit(genome, [(start, State.of(parent))], stream(0))
    child.load_state_dict(dict(state.tensors))
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(child(x), parent(x), rtol=1e-9, atol=1e-9)


def test_the_seed_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    Adopted.example().seed(DIGITS)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("network", "arguments", "reason"),
    [
        ("evonas_spaces.nowhere:net", {}, "cannot import"),
        ("evonas_spaces.adopted", {}, "should be `module:callable`"),
        ("torch.nn:Linear", {}, "cannot make the network"),
        ("builtins:dict", {}, "should be an nn.Module"),
        ("torch.nn:LayerNorm", {"normalized_shape": 8}, "cannot adopt LayerNorm"),
    ],
)
def test_a_network_that_cannot_be_made_or_adopted_is_refused(
    network: str, arguments: dict[str, object], reason: str
):
    with pytest.raises(ConfigError, match=reason):
        Adopted(network=network, arguments=arguments).seed(DIGITS)


@pytest.mark.parametrize(
    ("signatures", "reason"),
    [
        ({"net": Signature((1, 8, 8), (2,))}, "puts out"),
        ({"net": Signature((5,), (10,))}, "does not take"),
        ({"actor": Signature((1, 8, 8), (10,))}, "named 'net'"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(signatures: dict[str, Signature], reason: str):
    with pytest.raises(ConfigError, match=reason):
        Adopted.example().seed(signatures)
