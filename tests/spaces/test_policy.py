import pytest
import torch
from optuna.distributions import CategoricalDistribution
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.networks import Signature, Signatures, named
from evonas.seeds import stream
from evonas.state import TARGET, State
from evonas_spaces.policy import Policy

VECTORS = {"actor": Signature((4,), (2,)), "critic": Signature((4,), (1,))}
TWINS = {
    "actor": Signature((3,), (2,)),
    "critic1": Signature((5,), (1,)),
    "critic2": Signature((5,), (1,)),
}
BOARD = {"actor": Signature((3, 13, 13), (5,)), "critic": Signature((3, 13, 13), (1,))}
ALONE = {"net": Signature((6,), (3,))}
EVERY = pytest.mark.parametrize(
    "signatures", [VECTORS, TWINS, BOARD, ALONE], ids=["ppo", "td3", "board", "one"]
)


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def answers(model: nn.Module, signatures: Signatures, batch: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = {
        name: torch.randn(batch, *one.inputs, generator=generator, dtype=torch.float64)
        for name, one in signatures.items()
    }
    return {
        name: net(inputs[name]).detach() for name, net in named(model.double(), signatures).items()
    }


def grown(space: Policy, genome: Genome, seed: int) -> Genome:
    """Return the genome after two rounds of every exact mutation."""
    exact = [mutation for mutation in space.mutations().values() if mutation.exact]
    for step, mutation in enumerate(exact * 2):
        edit = mutation.propose(genome, stream(seed, step))
        genome = mutation.apply(genome, edit) if edit else genome
    return genome


@EVERY
@pytest.mark.parametrize("batch_norm", [True, False])
def test_policies_grow_by_exact_edits_of_any_of_their_networks(
    signatures: Signatures, batch_norm: bool
):
    space = Policy(actor_width=4, critic_width=6, channels=4, batch_norm=batch_norm)
    start = space.seed(signatures)
    parent = space.build(start).eval()
    genome = grown(space, start, 0)
    edited = {target.partition("/")[0] for edit in genome.edits for target in edit.targets}
    assert edited == set(signatures)
    child = space.build(genome).double().eval()
    state = space.inherit(genome, [(start, State.of(parent.double()))], stream(0))
    child.load_state_dict(dict(state.tensors))
    before, after = answers(parent, signatures), answers(child, signatures)
    for name in signatures:
        torch.testing.assert_close(after[name], before[name], rtol=1e-9, atol=1e-9)


@EVERY
def test_targets_of_all_networks_compute_after_exact_edits_what_they_computed(
    signatures: Signatures,
):
    space = Policy(actor_width=4, critic_width=6, channels=4)
    start = space.seed(signatures)
    model, target = (space.build(start).double() for _ in range(2))
    genome = grown(space, start, 1)
    parent = State.of(model).plus(TARGET, State.of(target))
    state = space.inherit(genome, [(start, parent)], stream(1))
    child = space.build(genome).double()
    child.load_state_dict(dict(state.part(TARGET).tensors))
    before, after = answers(target, signatures), answers(child, signatures)
    for name in signatures:
        torch.testing.assert_close(after[name], before[name], rtol=1e-9, atol=1e-9)


@EVERY
def test_actors_start_near_zero_and_critics_do_not(signatures: Signatures):
    space = Policy()
    for name, outputs in answers(space.build(space.seed(signatures)), signatures, 64).items():
        size = float(outputs.std())
        assert size > 0.2 if name.startswith("critic") else 0.0 < size < 0.05


def test_the_same_weights_are_drawn_whatever_the_scale_of_the_last_layer():
    states: list[dict[str, Tensor]] = []
    for scale in (1.0, 0.5):
        torch.manual_seed(0)
        space = Policy(actor_scale=scale)
        states.append(space.build(space.seed(VECTORS)).state_dict())
    halved = states[0] | {"actor.head.weight": states[0]["actor.head.weight"] / 2}
    assert all(tensor.equal(halved[name]) for name, tensor in states[1].items())


def test_actors_and_critics_have_widths_and_depths_of_their_own():
    space = Policy(actor_width=8, actor_layers=1, critic_width=16, critic_layers=3)
    genome = space.seed(TWINS)
    widths = {
        name: [node.params["out"] for node in graph.nodes if node.op == "linear"]
        for name, graph in genome.architecture.items()
    }
    assert widths == {"actor": [8, 2], "critic1": [16, 16, 16, 1], "critic2": [16, 16, 16, 1]}


@pytest.mark.parametrize(
    ("shape", "maps"),
    [
        ((4, 84, 84), [(16, 21, 21), (32, 11, 11), (32, 6, 6)]),
        ((7, 13, 13), [(16, 13, 13), (32, 7, 7)]),
        ((1, 8, 8), [(16, 8, 8)]),
        ((2, 1, 5), [(16, 1, 5)]),
    ],
    ids=["atari", "grid world", "digits", "sliver"],
)
def test_large_pictures_are_halved_to_small_maps(
    shape: tuple[int, int, int], maps: list[tuple[int, ...]]
):
    space = Policy()
    genome = space.seed({"net": Signature(shape, (6,))})
    graph = genome.architecture["net"]
    found = [graph.shapes[node.id] for node in graph.nodes if node.op == "conv"]
    assert found == maps
    assert space.build(genome)(torch.zeros(2, *shape)).shape == (2, 6)


def test_convolutions_have_edits_of_their_own():
    space = Policy(channels=4)
    genome = grown(space, space.seed(BOARD), 0)
    used = {edit.operator for edit in genome.edits}
    assert {"grow-kernel", "insert-separable", "add-se", "insert-identity"} <= used


def test_what_is_no_network_of_policies_is_refused_with_what_is_allowed():
    with pytest.raises(ConfigError, match=r"from vectors .features,. or pictures"):
        Policy().seed({"actor": Signature((4,), (2,)), "critic": Signature((2, 3), (1,))})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"actor_width": 0}, "actor_width is 0"),
        ({"activation": "tan"}, "did you mean 'tanh'"),
        ({"actor_scale": 0.0}, "actor_scale is 0.0"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        Policy(**fields)  # pyright: ignore[reportArgumentType]


def test_the_knobs_describe_every_network():
    space = Policy()
    seed = space.seed(VECTORS)
    values = {"actor/hidden1.width": 2.0, "critic/hidden2.slot1": "insert-shortcut"}
    assert set(values) <= set(space.knobs(seed))
    genome = space.decode(seed, values)
    assert [edit.targets[0].partition("/")[0] for edit in genome.edits] == ["actor", "critic"]
    assert answers(space.build(genome), VECTORS)["critic"].shape == (6, 1)


def test_no_layer_of_pictures_is_offered_behind_a_vector():
    space = Policy(channels=4)
    knobs = space.knobs(space.seed(BOARD))
    slot = knobs["actor/hidden1.slot1"]
    assert isinstance(slot, CategoricalDistribution)
    assert slot.choices == ("none", "insert-layer", "insert-shortcut")
    assert "actor/hidden1.slot1.kernel" not in knobs
    assert "actor/conv1.slot1.kernel" in knobs
