import pytest
import torch

from evonas import plugins
from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.networks import Signature
from evonas.seeds import stream
from evonas.space import SearchSpace
from evonas.state import State
from evonas_spaces.eena import PRESETS, Eena

DIGITS = {"net": Signature((1, 8, 8), (10,))}


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def walk(space: Eena, genome: Genome, seed: int, steps: int = 8) -> Genome:
    """Take some random steps."""
    mutations = list(space.mutations().values())
    for step in range(steps):
        rng = stream(seed, "walk", step)
        mutation = mutations[int(rng.integers(len(mutations)))]
        edit = mutation.propose(genome, rng)
        genome = mutation.apply(genome, edit) if edit else genome
    return genome


def test_the_space_is_registered():
    assert plugins.load(SearchSpace, "eena") is Eena


@pytest.mark.parametrize(
    ("shape", "pools"), [((1, 8, 8), 1), ((1, 28, 28), 2), ((3, 32, 32), 2), ((2, 1, 5), 0)]
)
def test_the_seed_fits_small_and_larger_pictures(shape: tuple[int, int, int], pools: int):
    space = Eena()
    genome = space.seed({"net": Signature(shape, (10,))})
    graph = genome.architecture["net"]
    graph.validate()
    assert sum(node.op == "maxpool" for node in graph.nodes) == pools
    assert space.build(genome)(torch.zeros(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize(
    "signatures",
    [
        {},
        {"net": Signature((3,), (2,))},
        {"net": Signature((1, 8, 8), (2, 2))},
        {"actor": Signature((1, 8, 8), (2,))},
        {**DIGITS, "critic": Signature((1, 8, 8), (1,))},
    ],
    ids=["none", "vector", "picture out", "other name", "two"],
)
def test_other_networks_are_refused_with_what_is_allowed(signatures: dict[str, Signature]):
    with pytest.raises(ConfigError, match="from one picture"):
        Eena().seed(signatures)


def test_a_width_below_one_is_refused():
    with pytest.raises(ConfigError, match="width is 0"):
        Eena(width=0)


def test_an_unknown_operator_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="did you mean 'widen'"):
        Eena(operators=("widden",)).mutations()


@pytest.mark.parametrize("preset", [name for name in PRESETS if PRESETS[name]])
def test_every_mutation_of_a_preset_is_known_by_its_edits_operator(preset: str):
    space = Eena(preset=preset)  # pyright: ignore[reportArgumentType]
    genome = walk(space, space.seed(DIGITS), 0)
    for name, mutation in space.mutations().items():
        edit = mutation.propose(genome, stream(1))
        assert edit is None or edit.operator == name


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_random_walks_build_and_replay(seed: int, mirrored: bool):
    space = Eena(mirrored=mirrored)
    start = space.seed(DIGITS)
    genome = walk(space, start, seed)
    assert len(genome.edits) > 3
    replayed = start
    for edit in genome.edits:
        replayed = space.mutations()[edit.operator].apply(replayed, edit)
    assert replayed == genome
    assert space.build(genome)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("seed", range(3))
def test_a_child_grown_by_exact_edits_computes_what_the_seed_computed(seed: int):
    whole = Eena()
    exact = tuple(name for name, mutation in whole.mutations().items() if mutation.exact)
    space = Eena(operators=exact)
    start = space.seed(DIGITS)
    parent = space.build(start).double()
    child = walk(space, start, seed)
    model = space.build(child).double()
    state = space.inherit(child, [(start, State.of(parent))], stream(seed, "inherit"))
    model.load_state_dict(dict(state.tensors))
    x = torch.randn(5, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(model(x), parent(x), rtol=1e-9, atol=1e-9)


def test_no_insertion_leads_past_the_largest_number_of_layers():
    space = Eena(max_layers=9, operators=("insert-layer", "insert-separable", "add-skip"))
    genome = walk(space, space.seed(DIGITS), 0, steps=12)
    layers = [
        n for n in genome.architecture["net"].nodes if n.op in {"conv", "depthwise", "linear"}
    ]
    assert 6 < len(layers) <= 9


@pytest.mark.parametrize("operator", ["widen", "widen-copies", "eena-widen"])
def test_no_widening_leads_past_the_largest_width(operator: str):
    space = Eena(max_width=40, operators=(operator,))
    genome = walk(space, space.seed(DIGITS), 0, steps=12)
    widths = [shape[0] for shape in genome.architecture["net"].shapes.values()]
    assert 32 < max(widths) <= 40 or (operator == "eena-widen" and max(widths) == 32)


def test_the_knobs_describe_networks_that_build():
    space = Eena()
    seed = space.seed(DIGITS)
    knobs = space.knobs(seed)
    sizes: set[int] = set()
    for number in range(5):
        rng = stream(number)
        values = {
            name: knob.to_external_repr(int(rng.integers(len(knob.choices))))  # pyright: ignore[reportAttributeAccessIssue]
            for name, knob in knobs.items()
        }
        genome = space.decode(seed, values)
        assert space.build(genome)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
        assert space.decode(seed, values) == genome
        sizes.add(len(genome.architecture["net"].nodes))
    assert len(sizes) > 1


def test_no_knob_turned_is_the_seed():
    space = Eena()
    seed = space.seed(DIGITS)
    assert space.decode(seed, {}) == seed


def test_a_slot_fills_every_mirrored_block():
    space = Eena()
    seed = space.seed(DIGITS)
    genome = space.decode(seed, {"net/block1.slot1": "insert-layer", "net/block1.slot1.kernel": 3})
    added = set(genome.architecture["net"].by_id) - set(seed.architecture["net"].by_id)
    assert {node_id.partition(".")[0] for node_id in added} == {"block1", "block2", "block3"}


def test_crossover_carries_edits_over():
    space = Eena(operators=("insert-layer", "insert-shortcut", "widen"))
    start = space.seed(DIGITS)
    first, second = walk(space, start, 1), walk(space, start, 2)
    child = space.crossover(first, second, stream(0))
    assert child is not None
    assert child.edits[: len(first.edits)] == first.edits
    assert len(child.edits) > len(first.edits)


def test_the_preset_none_leaves_the_architecture_as_it_is():
    assert Eena(preset="none").mutations() == {}
