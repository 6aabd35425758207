"""Random networks with every kind of join, their trained states, and what they compute."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from evonas import seeds
from evonas.genome import Genome, LayerGraph, Node
from evonas.morph.build import build
from evonas.seeds import Rng
from evonas.state import State

WINDOW = {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1]}
NORM = {"eps": 1e-5, "momentum": 0.1}
CLASSES = 3


class Sketch:
    """A graph in the making: every method adds layers behind `tail` and returns the new tail."""

    def __init__(self, rng: Rng, block: str = "") -> None:
        self.rng = rng
        self.block = block
        self.nodes: list[Node] = []
        self.names = itertools.count()

    def put(self, op: str, *inputs: str, **params: object) -> str:
        local = f"{op}{next(self.names)}"
        name = f"{self.block}.{local}" if self.block else local
        self.nodes.append(Node(name, op, inputs, params))
        return name

    def layer(self, tail: str, out: int) -> str:
        has_norm = self.rng.random() < 0.7
        bias = not has_norm or self.rng.random() < 0.3
        size = int(self.rng.choice([1, 3]))
        window = {**WINDOW, "padding": [size // 2, size // 2]}
        tail = self.put("conv", tail, out=out, kernel=[size, size], groups=1, bias=bias, **window)
        return self.put("bn", tail, **NORM) if has_norm else tail

    def act(self, tail: str) -> str:
        return self.put("act", tail, kind=str(self.rng.choice(["relu", "silu", "leaky_relu"])))

    def segment(self, tail: str, width: int) -> str:
        """Add a plain layer, a sum, a concatenation, ... and return the tail, `width` wide."""
        kind = self.rng.choice(
            ["plain", "residual", "nested", "twice", "depthwise", "se", "gate", "grouped", "dense"]
        )
        inner = self.act(self.layer(tail, width))
        end = inner
        match kind:
            case "residual":
                end = self.act(self.put("add", self.layer(inner, width), tail))
            case "nested":
                left, right = self.layer(inner, width // 2), self.layer(inner, width - width // 2)
                end = self.act(self.put("add", inner, self.put("concat", left, right)))
            case "twice":
                both = self.put("concat", inner, self.put("concat", tail, inner))
                end = self.act(self.layer(both, width))
            case "depthwise":
                end = self.put("depthwise", inner, kernel=[3, 3], bias=True, **WINDOW)
            case "se":
                end = self.put("se", inner, squeeze=2)
            case "gate":
                end = self.put("lerp", tail, self.put("scale", inner))
            case "grouped":
                shape = {"out": width, "kernel": [3, 3], "groups": 2, "bias": False}
                end = self.put("conv", inner, **shape, **WINDOW)
            case "dense":
                end = self.act(self.layer(self.put("concat", inner, tail), width))
            case _:
                pass
        return end


@pytest.fixture(scope="session")
def random_genome() -> Callable[[Rng], Genome]:
    """A function that draws a genome with one graph `net` from 3x6x6 pictures to 3 classes."""
    return _random_genome


def _random_genome(rng: Rng) -> Genome:
    width = int(rng.choice([4, 6]))
    whole = Sketch(rng)
    tail = whole.act(whole.layer(whole.put("input", shape=[3, 6, 6]), width))
    mirrors = ("first", "second") if rng.random() < 0.4 else ()
    blueprint = int(rng.integers(2**32))
    for block in mirrors:
        part = Sketch(seeds.stream(blueprint), block)
        tail = part.segment(tail, width)
        whole.nodes += part.nodes
    if rng.random() < 0.5:
        tail = whole.put("maxpool", tail, kernel=[2, 2], stride=[2, 2], padding=[0, 0])
    for _ in range(rng.integers(1, 4)):
        tail = whole.segment(tail, width)
    tail = whole.put(str(rng.choice(["gap", "flatten"])), tail)
    if rng.random() < 0.5:
        tail = whole.act(whole.put("linear", tail, out=5, bias=True))
    tail = whole.put("linear", tail, out=CLASSES, bias=True)
    whole.put("output", tail)
    graph = LayerGraph(tuple(whole.nodes), mirrors)
    graph.validate()
    return Genome({"net": graph})


Train = Callable[[Genome, int], State]


@pytest.fixture(scope="session")
def trained() -> Train:
    """A function that returns a float64 state after two steps of SGD with momentum, or Adam."""
    return _trained


def _trained(genome: Genome, seed: int) -> State:
    generator = torch.Generator().manual_seed(seed)
    model = build(genome).double()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
                wide = tensor.ndim > 1
                tensor.copy_(
                    (2 * noise - 1) * (3 / tensor[0].numel()) ** 0.5 if wide else noise + 0.1
                )
    if seed % 2:
        optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    for step in range(2):
        optimizer.zero_grad()
        loss(model, step).backward()
        optimizer.step()
    return State.of(model, optimizer)


def pictures(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (6,), generator=generator)
    return torch.randn(6, 3, 6, 6, generator=generator, dtype=torch.float64), labels


def loss(model: torch.nn.Module, seed: int) -> Tensor:
    inputs, labels = pictures(seed)
    return F.cross_entropy(model(inputs), labels)


Compute = Callable[[Genome, State, bool], Tensor]


@pytest.fixture(scope="session")
def outputs() -> Compute:
    """A function that returns what a genome with a state computes, in training or evaluation."""
    return _outputs


def _outputs(genome: Genome, state: State, training: bool) -> Tensor:
    model = build(genome).to(next(iter(state.tensors.values())).dtype)
    model.load_state_dict(dict(state.tensors))
    with torch.no_grad():
        return model.train(training)(pictures(7)[0].to(next(iter(state.tensors.values())).dtype))


Gradients = Callable[[Genome, State], dict[str, Tensor]]


@pytest.fixture(scope="session")
def gradients() -> Gradients:
    """A function that returns the gradient of every parameter on one batch, in training."""
    return _gradients


def _gradients(genome: Genome, state: State) -> dict[str, Tensor]:
    model = build(genome).double()
    model.load_state_dict(dict(state.tensors))
    loss(model.train(), 9).backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    return {name: gradient for name, gradient in found.items() if gradient is not None}
