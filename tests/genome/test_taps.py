from collections.abc import Mapping

import networkx as nx
import pytest

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.taps import network_taps, taps, trunk
from evonas.networks import Signature
from evonas.seeds import stream
from evonas.space import SearchSpace
from evonas.testing.edits import stepped
from evonas_spaces.adopted import Adopted
from evonas_spaces.depths import Depths
from evonas_spaces.eena import Eena
from evonas_spaces.mlp import Mlp

COLOURS = {"net": Signature((3, 32, 32), (10,))}
DIGITS = {"net": Signature((1, 8, 8), (10,))}
TABLE = {"net": Signature((5,), (3,))}

SPACES: Mapping[str, tuple[SearchSpace, Mapping[str, Signature]]] = {
    "eena": (Eena(), COLOURS),
    "mirrorless": (Eena(mirrored=False), DIGITS),
    "mlp": (Mlp(layers=3), TABLE),
    "adopted": (Adopted.example(), DIGITS),
    "depths": (Depths(blocks=2), COLOURS),
}
CONV = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}


def layers(graph: LayerGraph) -> dict[str, str]:
    return {name: tap.layer for name, tap in taps(graph).items()}


def seed(name: str) -> LayerGraph:
    space, signatures = SPACES[name]
    return space.seed(signatures).architecture["net"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "depths",
            ["s1.b2.act", "s2.b2.act", "s3.b2.act", "s3.b2.act", "gap", "head"],
        ),
        ("eena", ["block1.act", "block2.act", "last.act", "last.act", "gap", "head"]),
        ("mirrorless", ["block1.act", "last.act", "last.act", "gap", "head"]),
        ("mlp", [*(f"hidden{number}.act" for number in (1, 2, 3, 3, 3)), "head"]),
        ("adopted", ["stem_1", "relu", "relu", "head_0", "head.layer2"]),
    ],
)
def test_a_stage_of_a_seed_ends_where_the_resolution_does(name: str, expected: list[str]):
    found = layers(seed(name))
    stages = [f"s{number}" for number in range(1, len(expected) - 2)]
    assert list(found) == [*stages, "last", "gap", "logits"]
    assert list(found.values()) == expected


@pytest.mark.parametrize("walk", range(3))
@pytest.mark.parametrize("name", SPACES)
def test_exact_edits_leave_the_names_of_taps(name: str, walk: int):
    space, signatures = SPACES[name]
    exact = {key: mutation for key, mutation in space.mutations().items() if mutation.exact}
    genome = space.seed(signatures)
    names = list(space.taps(genome))
    for step in range(12):
        genome = stepped(genome, exact, stream(walk, "taps", step))
        assert list(space.taps(genome)) == names, genome.edits[-1]
    assert len(genome.edits) > 8


@pytest.mark.parametrize("walk", range(3))
@pytest.mark.parametrize("name", SPACES)
def test_taps_stay_where_they_are_in_the_network(name: str, walk: int):
    space, signatures = SPACES[name]
    genome = space.seed(signatures)
    sizes = {key: tap.shape[1:] for key, tap in space.taps(genome).items()}
    for step in range(12):
        genome = stepped(genome, space.mutations(), stream(walk, "all", step))
        graph, found = genome.architecture["net"], space.taps(genome)
        assert {key: tap.shape for key, tap in found.items()} == {
            key: graph.shapes[tap.layer] for key, tap in found.items()
        }
        assert {key: tap.shape[1:] for key, tap in found.items()} == {
            key: sizes[key] for key in found
        }


@pytest.mark.parametrize("walk", range(3))
@pytest.mark.parametrize("name", SPACES)
def test_no_signal_gets_past_the_trunk(name: str, walk: int):
    space, signatures = SPACES[name]
    genome = space.seed(signatures)
    for step in range(10):
        genome = stepped(genome, space.mutations(), stream(walk, "trunk", step))
    graph = genome.architecture["net"]
    main = {node.id for node in trunk(graph)}
    start, end = graph.nodes[0].id, graph.output.id
    for node in graph.nodes[1:-1]:
        without = graph.to_networkx()
        without.remove_node(node.id)
        assert nx.has_path(without, start, end) == (node.id not in main), node.id


def test_the_tap_of_a_stage_is_never_inside_a_branch():
    graph = seed("depths")
    main = {node.id for node in trunk(graph)}
    assert main.issuperset(layers(graph).values())
    assert "s2.b2.act1" not in main


def test_a_resolution_before_the_first_named_block_is_no_stage():
    nodes = (
        Node("x", "input", (), {"shape": [3, 16, 16]}),
        Node("conv", "conv", ("x",), {**CONV, "out": 4, "stride": [2, 2], "bias": True}),
        Node("pool", "maxpool", ("conv",), {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]}),
        Node("layer1_0.conv", "conv", ("pool",), {**CONV, "out": 4, "bias": True}),
        Node("mean", "gap", ("layer1_0.conv",)),
        Node("fc", "linear", ("mean",), {"out": 2, "bias": True}),
        Node("y", "output", ("fc",)),
    )
    found = layers(LayerGraph(nodes))
    assert found["s1"] == found["last"] == "layer1_0.conv"
    assert "s2" not in found


def test_a_skip_around_a_hidden_layer_leaves_its_tap():
    space, signatures = SPACES["mlp"]
    genome = space.seed(signatures)
    edit = genome.edit("add-skip", "net/hidden3.act", "net/hidden1.act")
    found = space.taps(space.mutations()["add-skip"].apply(genome, edit))
    assert [found[name].layer for name in ("s1", "s2")] == ["hidden1.act", "hidden2.act"]
    assert found["s3"].layer == found["gap"].layer
    assert found["s3"].layer != "hidden3.act"


def test_a_network_of_vectors_without_blocks_has_one_stage():
    nodes = (
        Node("x", "input", (), {"shape": [4]}),
        Node("hidden", "linear", ("x",), {"out": 4, "bias": True}),
        Node("act", "act", ("hidden",), {"kind": "relu"}),
        Node("head", "linear", ("act",), {"out": 2, "bias": True}),
        Node("y", "output", ("head",)),
    )
    found = layers(LayerGraph(nodes))
    assert found == {"s1": "act", "last": "act", "gap": "act", "logits": "head"}


def test_a_network_without_linear_layers_has_no_vector_to_read():
    nodes = (
        Node("x", "input", (), {"shape": [3, 6, 6]}),
        Node("conv", "conv", ("x",), {**CONV, "out": 2, "bias": True}),
        Node("mean", "gap", ("conv",)),
        Node("y", "output", ("mean",)),
    )
    assert layers(LayerGraph(nodes)) == {"s1": "conv", "last": "conv", "logits": "mean"}


@pytest.mark.parametrize("names", [("actor", "critic"), ("actor",), ()])
def test_a_candidate_that_is_not_the_one_network_has_no_taps(names: tuple[str, ...]):
    genome = Genome(dict.fromkeys(names, seed("mlp")))
    with pytest.raises(EditError, match="only a candidate of one network 'net'"):
        network_taps(genome)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "num_stages"), [("resnet18", 4), ("mobilenet_v2", 5)])
def test_adopted_networks_have_the_stages_that_are_known_of_them(network: str, num_stages: int):
    arguments = {"num_classes": 10}
    space = Adopted(network=f"torchvision.models:{network}", arguments=arguments)
    genome = space.seed({"net": Signature((3, 64, 64), (10,))})
    found = space.taps(genome)
    stages = [name for name in found if name.startswith("s")]
    assert stages == [f"s{number}" for number in range(1, num_stages + 1)]
    assert found["last"].shape[1:] == (2, 2)
