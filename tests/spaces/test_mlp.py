import pytest
import torch

from evonas.errors import ConfigError
from evonas.networks import Signature
from evonas.seeds import stream
from evonas.state import State
from evonas_spaces.mlp import Mlp

TABLE = {"net": Signature((5,), (2,))}


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_a_perceptron_grows_by_exact_edits(seed: int, batch_norm: bool):
    space = Mlp(batch_norm=batch_norm, hidden=4, layers=2)
    genome = start = space.seed(TABLE)
    parent = space.build(start).double()
    exact = [mutation for mutation in space.mutations().values() if mutation.exact]
    for step, mutation in enumerate(exact * 2):
        edit = mutation.propose(genome, stream(seed, step))
        genome = mutation.apply(genome, edit) if edit else genome
    assert len(genome.edits) > 6
    child = space.build(genome).double()
    state = space.inherit(genome, [(start, State.of(parent))], stream(seed))
    child.load_state_dict(dict(state.tensors))
    x = torch.randn(6, 5, dtype=torch.float64)
    torch.testing.assert_close(child(x), parent(x), rtol=1e-9, atol=1e-9)


def test_an_actor_and_a_critic_are_two_networks_of_one_genome():
    space = Mlp()
    genome = space.seed({"actor": Signature((4,), (2,)), "critic": Signature((4,), (1,))})
    mutation = space.mutations()["insert-layer"]
    targets: set[str] = set()
    for seed in range(8):
        edit = mutation.propose(genome, stream(seed))
        assert edit is not None
        targets.add(edit.targets[0].partition("/")[0])
        child = mutation.apply(genome, edit)
        state = space.inherit(child, [(genome, State.of(space.build(genome)))], stream(seed))
        space.build(child).load_state_dict(dict(state.tensors))
    assert targets == {"actor", "critic"}
    assert space.knobs(genome)


def test_pictures_are_refused_with_what_is_allowed():
    with pytest.raises(ConfigError, match="from vectors"):
        Mlp().seed({"net": Signature((1, 8, 8), (10,))})


def test_an_unknown_activation_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'relu'"):
        Mlp(activation="rellu")


def test_the_knobs_describe_perceptrons():
    space = Mlp()
    seed = space.seed(TABLE)
    values = {"net/hidden1.width": 2.0, "net/hidden1.slot1": "insert-shortcut"}
    assert set(values) <= set(space.knobs(seed))
    genome = space.decode(seed, values)
    assert [edit.operator for edit in genome.edits] == ["widen", "insert-shortcut"]
    assert space.build(genome)(torch.zeros(3, 5)).shape == (3, 2)


def test_a_mutation_of_ones_own_is_known_by_the_operator_in_its_edits():
    space = Mlp(operators=("residual_bottleneck:InsertBottleneck",))
    assert set(space.mutations()) == {"insert-bottleneck"}
    genome = space.seed(TABLE)
    edit = space.mutations()["insert-bottleneck"].propose(genome, stream(0))
    assert edit is not None
    child = space.mutations()[edit.operator].apply(genome, edit)
    state = space.inherit(child, [(genome, State.of(space.build(genome)))], stream(0))
    space.build(child).load_state_dict(dict(state.tensors))
