import pytest
import torch
from torch import nn

from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.shapes import ACTIVATIONS
from evonas.morph.build import build, build_graph, layer
from evonas.morph.modules import Lerp, Scale, SqueezeExcite, lipswish

PLAIN = {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "bias": False}
CONV = {**PLAIN, "kernel": [3, 3], "groups": 1}
NORM = {"eps": 1e-5, "momentum": 0.1}
POOL = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]}


@pytest.fixture
def every_op() -> LayerGraph:
    """A graph that uses every operation once at least."""
    return LayerGraph(
        (
            Node("x", "input", (), {"shape": [3, 8, 8]}),
            Node("a.conv", "conv", ("x",), {**CONV, "out": 4}),
            Node("a.bn", "bn", ("a.conv",), NORM),
            Node("a.act", "act", ("a.bn",), {"kind": "relu"}),
            Node("dw", "depthwise", ("a.act",), {**PLAIN, "kernel": [3, 3]}),
            Node("scaled", "scale", ("dw",)),
            Node("sum", "add", ("a.act", "scaled", "a.act")),
            Node("mixed", "lerp", ("sum", "dw")),
            Node("excited", "se", ("mixed",), {"squeeze": 2}),
            Node("joined", "concat", ("excited", "a.act", "excited")),
            Node("max", "maxpool", ("joined",), POOL),
            Node("mean", "avgpool", ("max",), POOL),
            Node("gap", "gap", ("mean",)),
            Node("flat", "flatten", ("mean",)),
            Node("both", "concat", ("gap", "flat")),
            Node("dropped", "dropout", ("both",), {"p": 0.5}),
            Node("fc", "linear", ("dropped",), {"out": 5, "bias": True}),
            Node("norm", "bn", ("fc",), NORM),
            Node("y", "output", ("norm",)),
        )
    )


def test_every_operation_makes_the_shape_that_the_graph_states(every_op: LayerGraph):
    every_op.validate()
    shapes: dict[str, tuple[int, ...]] = {}
    network = build_graph(every_op)

    class Watch(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            value = super().run_node(n)
            shapes[n.name] = tuple(value.shape)[1:]
            return value

    Watch(network).run(torch.zeros(2, 3, 8, 8))
    stated = {node_id.replace(".", "_"): shape for node_id, shape in every_op.shapes.items()}
    compared = shapes.keys() & stated.keys()
    assert len(compared) > 15
    assert {name: shapes[name] for name in compared} == {name: stated[name] for name in compared}


def test_tensors_are_named_after_their_layers(every_op: LayerGraph):
    names = set(build_graph(every_op).state_dict())
    assert {"a.conv.weight", "a.bn.running_mean", "dw.weight", "fc.bias"} <= names
    assert {"scaled.scale", "mixed.scale"} <= names
    assert {"excited.reduce.weight", "excited.expand.bias"} <= names


@pytest.mark.slow
def test_a_network_works_on_the_meta_device(every_op: LayerGraph):
    with torch.device("meta"):
        network = build_graph(every_op)
        outputs = network(torch.empty(2, 3, 8, 8))
    assert outputs.shape == (2, 5)
    assert all(tensor.is_meta for tensor in network.state_dict().values())


def test_a_network_is_a_function_of_the_global_seed(every_op: LayerGraph):
    torch.manual_seed(3)
    first = build_graph(every_op).state_dict()
    torch.manual_seed(3)
    second = build_graph(every_op).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_memory_format_does_not_change_the_output(every_op: LayerGraph):
    network = build_graph(every_op).double().eval()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    expected = network(x)
    network = network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(x.to(memory_format=torch.channels_last)), expected)


def test_several_graphs_become_a_module_dict(every_op: LayerGraph):
    network = build(Genome({"actor": every_op, "critic": every_op}))
    assert isinstance(network, nn.ModuleDict)
    assert "critic.a.conv.weight" in network.state_dict()


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_can_be_built(kind: str):
    graph = LayerGraph(
        (
            Node("x", "input", (), {"shape": [2]}),
            Node("f", "act", ("x",), {"kind": kind}),
            Node("y", "output", ("f",)),
        )
    )
    x = torch.randn(3, 2)
    known = {"lipswish": lipswish, **vars(torch.nn.functional)}
    assert torch.equal(build_graph(graph)(x), known[kind](x))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 4)])
def test_fresh_gates_change_nothing(shape: tuple[int, ...]):
    x, f = torch.randn(2, *shape)
    assert torch.equal(Lerp(3)(x, f), x)
    assert not Scale(3)(x).any()


def test_a_fresh_squeeze_excitation_changes_nothing():
    excite = layer(Node("se", "se", ("x",), {"squeeze": 2}), [(3, 4, 4)])
    x = torch.randn(2, 3, 4, 4)
    assert isinstance(excite, SqueezeExcite)
    assert torch.equal(excite(x), x)
