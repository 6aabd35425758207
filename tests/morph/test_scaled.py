from collections.abc import Callable

import pytest

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph
from evonas.morph.scaled import scaled
from evonas.networks import Signature
from evonas.seeds import Rng, stream
from evonas.space import SearchSpace
from evonas.testing.edits import stepped
from evonas_spaces.adopted import Adopted
from evonas_spaces.depths import Depths
from evonas_spaces.eena import Eena
from evonas_spaces.mlp import Mlp

PICTURES = {"net": Signature((1, 8, 8), (10,))}
TABLE = {"net": Signature((5,), (3,))}
FACTORS = [0.1, 0.5, 0.75, 1.5, 2.0, 3.7]


def seed(space: SearchSpace) -> LayerGraph:
    signatures = TABLE if isinstance(space, Mlp) else PICTURES
    return space.seed(signatures).architecture["net"]


@pytest.mark.parametrize(
    ("space", "twice"),
    [
        (Depths(width=8), Depths(width=16)),
        (Eena(), Eena(stem=32, width=32, last=64)),
        (Mlp(layers=2), Mlp(layers=2, hidden=64)),
    ],
)
def test_a_scaled_seed_is_the_seed_of_a_wider_space(space: SearchSpace, twice: SearchSpace):
    assert scaled(seed(space), 2.0).key == seed(twice).key
    assert scaled(seed(twice), 0.5).key == seed(space).key


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("space", [Depths(blocks=2), Eena(), Mlp(layers=2), Adopted.example()])
def test_every_network_can_be_scaled_after_any_edits(space: SearchSpace, factor: float):
    genome = space.seed(TABLE if isinstance(space, Mlp) else PICTURES)
    for step in range(12):
        genome = stepped(genome, space.mutations(), stream(step, "scaled"))
    graph = genome.architecture["net"]
    copy = scaled(graph, factor)
    copy.validate()
    assert [(node.id, node.op, node.inputs) for node in copy.nodes] == [
        (node.id, node.op, node.inputs) for node in graph.nodes
    ]
    assert copy.shapes[copy.output.id] == graph.shapes[graph.output.id]


@pytest.mark.parametrize("number", range(12))
def test_sums_of_concatenations_stay_aligned(random_genome: Callable[[Rng], Genome], number: int):
    graph = random_genome(stream(number, "graph")).architecture["net"]
    for factor in FACTORS:
        scaled(graph, factor).validate()


@pytest.mark.parametrize("number", range(6))
def test_a_network_scaled_by_one_is_the_same(random_genome: Callable[[Rng], Genome], number: int):
    graph = random_genome(stream(number, "graph")).architecture["net"]
    assert scaled(graph, 1.0) == graph


def test_frozen_layers_keep_their_width():
    graph = scaled(seed(Eena()), 4.0)
    assert graph["head"].params["out"] == 10
    assert graph["last.conv"].params["out"] == 128


def test_the_hidden_width_of_an_excitation_is_scaled():
    space = Eena()
    genome = space.seed(PICTURES)
    edit = genome.edit("add-se", "net/last.act", squeeze=8)
    graph = space.mutations()["add-se"].apply(genome, edit).architecture["net"]
    (excitation,) = (node for node in scaled(graph, 0.5).nodes if node.op == "se")
    assert excitation.params["squeeze"] == 4


def test_mirrored_blocks_stay_mirrored():
    assert scaled(seed(Eena()), 1.7).mirrors == seed(Eena()).mirrors


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_factor_that_leaves_nothing_is_refused(factor: float):
    with pytest.raises(EditError, match="should be above 0"):
        scaled(seed(Eena()), factor)
