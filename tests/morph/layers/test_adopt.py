from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.morph.adopt import adopt
from evonas.morph.build import build_graph
from evonas.morph.insert_layer import InsertLayer
from evonas.morph.shortcut import InsertShortcut
from evonas.morph.squeeze_excite import AddSqueezeExcite
from evonas.seeds import stream
from evonas.state import State


class Mixed(nn.Module):
    """Modules, functions and methods, joins of both kinds, and names with dots and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.parts = nn.ModuleList([nn.Sequential(nn.Conv2d(4, 4, 1), nn.SiLU()) for _ in "ab"])
        self.depthwise = nn.Conv2d(8, 8, 3, padding="valid", groups=8, bias=False)
        self.depthwise.padding = (1, 1)
        self.grouped = nn.Conv2d(8, 4, (1, 3), (1, 2), (0, 1), groups=2)
        self.drop = nn.Dropout(0.5)
        self.pool = nn.AdaptiveAvgPool2d((2, 2))
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.cat([part(x) for part in self.parts], dim=1)
        x = F.relu(self.depthwise(x) + x, inplace=True)
        x = F.max_pool2d(self.grouped(x).relu(), (2, 1))
        x = F.avg_pool2d(torch.add(x, x), 1)
        return self.head(self.drop(self.pool(x).flatten(1)))


def _adopted(module: nn.Module, *shape: int) -> tuple[nn.Module, State]:
    graph, state = adopt(module, torch.randn(2, *shape))
    network = build_graph(graph)
    network.load_state_dict(dict(state.tensors))
    return network, state


@pytest.mark.parametrize("training", [True, False])
def test_an_adopted_network_computes_what_it_computed(training: bool):
    module = Mixed()
    module.drop.p = 0.0
    module.train()(torch.randn(8, 2, 8, 8))
    network, _ = _adopted(module, 2, 8, 8)
    x = torch.randn(4, 2, 8, 8)
    expected = module.train(training)(x)
    torch.testing.assert_close(network.train(training)(x), expected)


def test_the_original_is_left_as_it_was():
    module = Mixed().train()
    before = State.of(module).tensors
    adopt(module, torch.randn(2, 2, 8, 8))
    after = State.of(module).tensors
    assert module.training
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_layers_are_named_after_modules_with_a_block_for_those_inside_others():
    _, state = _adopted(Mixed(), 2, 8, 8)
    names = {name.rpartition(".")[0] for name in state.tensors}
    assert names >= {"stem.layer0", "stem.layer1", "parts_0.layer0", "parts_1.layer0", "head"}


def test_an_evolved_network_is_adopted_as_the_graph_it_was_built_from(
    pictures: Callable[..., Genome],
):
    genome = pictures()
    for mutation in (InsertLayer(), InsertShortcut(), AddSqueezeExcite()):
        edit = mutation.propose(genome, stream(0))
        assert edit is not None
        genome = mutation.apply(genome, edit)
    graph = genome.architecture["net"]
    thawed = {node_id: node.op for node_id, node in graph.by_id.items()}
    found, state = adopt(build_graph(graph), torch.randn(2, 2, 6, 6))
    assert {node.op for node in found.nodes} == set(thawed.values())
    assert len(found.nodes) == len(graph.nodes)
    assert set(state.tensors) == set(build_graph(graph).state_dict())


@pytest.mark.parametrize("size", [1, 2, 4, (2, 4)], ids=str)
def test_pooling_to_a_size_is_adopted_for_the_size_that_comes_in(size: int | tuple[int, int]):
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(size), nn.Flatten())
    network, _ = _adopted(module, 1, 4, 4)
    x = torch.randn(3, 1, 4, 4)
    torch.testing.assert_close(network(x), module(x))


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(3, 3)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.twice(self.relu(self.twice(x))))


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.norm = nn.LayerNorm(3)

    def forward(self, x: Tensor) -> Tensor:
        return (self.norm(x) * self.weight).softmax(1) + 1


class Outgoing(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + x, x


@pytest.mark.parametrize(
    ("module", "shape", "reason"),
    [
        (Shared(), (3,), "'twice' is called twice"),
        (Branching(), (3,), "cannot trace Branching"),
        (Scaled(), (3,), r"'norm' \(LayerNorm.*'weight' \(get_attr\), 'mul'.*'softmax'.*'add'"),
        (nn.Conv2d(3, 3, 1, padding_mode="reflect"), (3, 4, 4), "'0'.*reflect"),
        (nn.MaxPool2d(2, ceil_mode=True), (3, 4, 4), "ceil_mode=True"),
        (nn.LeakyReLU(0.3), (3,), "negative_slope=0.3"),
        (nn.BatchNorm1d(3, affine=False), (3,), "affine=False"),
        (nn.AdaptiveAvgPool2d((None, 1)), (3, 4, 4), "None"),
        (Outgoing(), (3,), "puts out a tuple"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_adopted_is_named(module: nn.Module, shape: tuple[int, ...], reason: str):
    is_layer = type(module).__module__.startswith("torch.nn")
    with pytest.raises(ConfigError, match=reason):
        adopt(nn.Sequential(module) if is_layer else module, torch.randn(2, *shape))


@pytest.mark.parametrize("shape", [(3,), (1, 8, 8)], ids=str)
def test_a_wrong_example_is_refused_with_its_shape(shape: tuple[int, ...]):
    with pytest.raises(ConfigError, match="does not take inputs of shape"):
        adopt(nn.Sequential(nn.Conv2d(3, 4, 3)), torch.randn(2, *shape))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121"])
def test_networks_of_torchvision_are_adopted(name: str):
    models = pytest.importorskip("torchvision.models")
    graph, state = adopt(models.get_model(name, num_classes=2), torch.randn(2, 3, 64, 64))
    assert graph.shapes[graph.output.id] == (2,)
    assert len(state.tensors) > 30
