"""The closed form against what is measured on the built network."""

from collections.abc import Callable, Mapping

import pytest
import torch
import torchvision
from hypothesis import given, settings, strategies as st
from torch import nn

from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.cost import macs, parameters
from evonas.measure import static
from evonas.morph.adopt import adopt
from evonas.morph.build import build
from evonas.networks import Signature, Signatures
from evonas.seeds import stream
from evonas.space import SearchSpace
from evonas.testing.edits import stepped
from evonas_spaces.eena import Eena
from evonas_spaces.mlp import Mlp

SMALL: Mapping[str, Signatures] = {
    "picture": {"net": Signature((3, 12, 12), (10,))},
    "vector": {"net": Signature((5,), (3,))},
}
NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "resnet": lambda: torchvision.models.resnet.ResNet(
        torchvision.models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=10
    ),
    "mobilenet": lambda: torchvision.models.mobilenet_v2(width_mult=0.25, num_classes=10),
}


def counted(genome: Genome) -> Mapping[str, float]:
    """Return what the closed form says of all graphs together."""
    graphs = genome.architecture.values()
    return {"parameters": sum(map(parameters, graphs)), "macs": sum(map(macs, graphs))}


def measured(genome: Genome, signatures: Signatures) -> Mapping[str, float]:
    """Return what the built network is measured at."""
    with torch.device("meta"):
        return static(build(genome), signatures)


@pytest.mark.parametrize(
    ("space", "kind"), [(Eena(stem=4, width=6, last=8), "picture"), (Mlp(), "vector")]
)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_mutated_network_costs_what_it_is_measured_at(
    space: SearchSpace, kind: str, seed: int
) -> None:
    signatures = SMALL[kind]
    genome = space.seed(signatures)
    for step in range(6):
        genome = stepped(genome, space.mutations(), stream(seed, step))
    assert counted(genome) == measured(genome, signatures)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_adopted_network_costs_what_it_is_measured_at(name: str) -> None:
    graph, _ = adopt(NETWORKS[name]().eval(), torch.zeros(1, 3, 32, 32))
    genome = Genome({"net": graph})
    assert counted(genome) == measured(genome, {"net": Signature((3, 32, 32), (10,))})


@pytest.mark.parametrize(
    ("op", "params"),
    [
        ("conv", {"out": 6, "groups": 2, "bias": True, "stride": [2, 2]}),
        ("depthwise", {"bias": True, "stride": [1, 2]}),
        ("se", {"squeeze": 3}),
        ("bn", {"eps": 1e-5, "momentum": 0.1}),
        ("scale", {}),
        ("flatten", {}),
    ],
)
def test_a_layer_costs_what_it_is_measured_at(op: str, params: dict[str, object]) -> None:
    window = {"kernel": [3, 1], "padding": [0, 0], "dilation": [1, 1]}
    params = {**(window if "bias" in params else {}), **params}
    nodes = [
        Node("input", "input", (), {"shape": [4, 9, 9]}),
        Node("layer", op, ("input",), params),
        Node("output", "output", ("layer",)),
    ]
    genome = Genome({"net": LayerGraph(tuple(nodes))})
    assert counted(genome) == measured(genome, {"net": Signature((4, 9, 9), (1,))})
