from collections.abc import Callable

import pytest
import torch
from torch import nn

from evonas.genome import Genome, LayerGraph, Node
from evonas.morph.build import build
from evonas.state import State

CONV = {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1, "bias": False}
POOL = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]}
NORM = {"eps": 1e-3, "momentum": 0.1}


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def _block(block: str, source: str, kind: str) -> list[Node]:
    nodes: list[Node] = []
    for number, read in (("1", source), ("2", f"{block}.act1")):
        conv, norm, act = (f"{block}.{op}{number}" for op in ("conv", "bn", "act"))
        nodes += [
            Node(conv, "conv", (read,), {**CONV, "out": 4, "kernel": [3, 3]}),
            Node(norm, "bn", (conv,), NORM),
            Node(act, "act", (norm,), {"kind": kind}),
        ]
    return nodes


def picture_genome(kind: str = "relu") -> Genome:
    """Two mirrored blocks of two layers between a frozen stem and a head, on 6x6 pictures."""
    graph = LayerGraph(
        (
            Node("x", "input", (), {"shape": [2, 6, 6]}, frozen=True),
            Node("stem", "conv", ("x",), {**CONV, "out": 4, "kernel": [3, 3]}, frozen=True),
            Node("act", "act", ("stem",), {"kind": kind}),
            *_block("block1", "act", kind),
            Node("pool", "maxpool", ("block1.act2",), POOL, frozen=True),
            *_block("block2", "pool", kind),
            Node("gap", "gap", ("block2.act2",), {}, frozen=True),
            Node("head", "linear", ("gap",), {"out": 3, "bias": True}, frozen=True),
            Node("y", "output", ("head",), {}, frozen=True),
        ),
        mirrors=("block1", "block2"),
    )
    graph.validate()
    return Genome({"net": graph})


def vector_genome(kind: str = "relu") -> Genome:
    """One hidden layer without batch norm."""
    graph = LayerGraph(
        (
            Node("x", "input", (), {"shape": [5]}, frozen=True),
            Node("hidden", "linear", ("x",), {"out": 4, "bias": True}),
            Node("act", "act", ("hidden",), {"kind": kind}),
            Node("head", "linear", ("act",), {"out": 3, "bias": True}, frozen=True),
            Node("y", "output", ("head",), {}, frozen=True),
        )
    )
    return Genome({"net": graph})


@pytest.fixture
def pictures() -> Callable[..., Genome]:
    return picture_genome


@pytest.fixture
def vectors() -> Callable[..., Genome]:
    return vector_genome


@pytest.fixture
def model_of() -> Callable[[Genome, State], nn.Module]:
    return _model_of


@pytest.fixture
def train() -> Callable[..., State]:
    return _train


@pytest.fixture
def batch_for() -> Callable[..., torch.Tensor]:
    return _batch_for


def _model_of(genome: Genome, state: State) -> nn.Module:
    model = build(genome).to(next(iter(state.tensors.values())).dtype)
    model.load_state_dict(dict(state.tensors))
    return model


def _train(
    genome: Genome, state: State | None = None, steps: int = 3, dtype: torch.dtype = torch.float64
) -> State:
    """Take some steps of SGD with momentum and no weight decay."""
    model = build(genome).to(dtype) if state is None else _model_of(genome, state)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    if state is not None:
        state.restore_optimizer(model, optimizer)
    for step in range(steps):
        optimizer.zero_grad()
        outputs = model(_batch_for(genome, step, dtype))
        nn.functional.cross_entropy(outputs, torch.arange(len(outputs)) % 3).backward()
        optimizer.step()
    return State.of(model, optimizer)


def _batch_for(genome: Genome, seed: int = 99, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = genome.architecture["net"].nodes[0].params["shape"]
    return torch.randn(9, *shape, generator=generator, dtype=torch.float64).to(dtype)
