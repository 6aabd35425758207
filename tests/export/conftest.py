"""Small trained candidates that together use every operation of a layer graph."""

from typing import Any

import pytest
import torch
from torch import nn

from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.shapes import ACTIVATIONS
from evonas.morph.build import build
from evonas.networks import Signature, Signatures

Candidate = tuple[nn.Module, Genome, Signatures]


def conv(node: str, source: str, out: int, kernel: int = 3, groups: int = 1) -> Node:
    params = {"out": out, "kernel": [kernel, 1], "stride": [1, 1], "padding": [kernel // 2, 0]}
    return Node(
        node, "conv", (source,), {**params, "dilation": [1, 1], "groups": groups, "bias": False}
    )


def depthwise(node: str, source: str) -> Node:
    params = {"kernel": [3, 3], "stride": [2, 2], "padding": [2, 2], "dilation": [2, 2]}
    return Node(node, "depthwise", (source,), {**params, "bias": True})


def norm(node: str, source: str) -> Node:
    return Node(node, "bn", (source,), {"eps": 1e-3, "momentum": 0.1})


def act(node: str, source: str, kind: str = "relu") -> Node:
    return Node(node, "act", (source,), {"kind": kind})


def plain(node: str, op: str, *sources: str, **params: Any) -> Node:
    return Node(node, op, sources, params)


def pool(node: str, op: str, source: str, stride: int) -> Node:
    params = {"kernel": [2, 2], "stride": [stride, stride], "padding": [1, 1]}
    return Node(node, op, (source,), params)


def block(name: str, source: str) -> list[Node]:
    """A block of mirrored names with a shortcut and a branch that is concatenated twice."""
    return [
        conv(f"{name}.conv_0a1f", source, 6, groups=2),
        norm(f"{name}.bn_0a1f", f"{name}.conv_0a1f"),
        act(f"{name}.act_0a1f", f"{name}.bn_0a1f", "silu"),
        plain(f"{name}.se_9c", "se", f"{name}.act_0a1f", squeeze=3),
        plain(f"{name}.add_77", "add", f"{name}.se_9c", source, f"{name}.act_0a1f"),
        plain(f"{name}.out", "lerp", f"{name}.add_77", source),
    ]


def picture_graph() -> LayerGraph:
    graph = LayerGraph(
        (
            plain("picture", "input", shape=[2, 9, 9]),
            conv("stem", "picture", 6, kernel=5),
            norm("stem_bn", "stem"),
            act("stem_act", "stem_bn"),
            *block("block1", "stem_act"),
            pool("halved", "maxpool", "block1.out", 2),
            *block("block2", "halved"),
            plain("shrunk", "scale", "block2.out"),
            plain("joined", "concat", "block2.out", "shrunk", "block2.out"),
            depthwise("swept", "joined"),
            pool("mean", "avgpool", "swept", 1),
            plain("gap", "gap", "mean"),
            plain("flat", "flatten", "swept"),
            plain("features", "concat", "flat", "gap"),
            plain("logits", "linear", "features", out=4, bias=True),
            plain("result", "output", "logits"),
        ),
        mirrors=("block1", "block2"),
    )
    graph.validate()
    return graph


def vector_graph(outputs: int) -> LayerGraph:
    """A chain through every activation."""
    nodes = [
        plain("state", "input", shape=[5]),
        plain("first", "linear", "state", out=7, bias=False),
    ]
    for number, kind in enumerate(ACTIVATIONS):
        nodes.append(norm(f"bn{number}", nodes[-1].id))
        nodes.append(act(kind, nodes[-1].id, kind))
    nodes.append(plain("drop", "dropout", nodes[-1].id, p=0.5))
    nodes.append(plain("last", "linear", "drop", out=outputs, bias=True))
    graph = LayerGraph((*nodes, plain("result", "output", "last")))
    graph.validate()
    return graph


def trained(model: nn.Module) -> nn.Module:
    """Give every tensor values of its own, as training would: fresh gates are closed."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            values = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(values + 0.5 if name.endswith("running_var") else values - 0.4)
    return model


@pytest.fixture(scope="session")
def picture() -> Candidate:
    genome = Genome({"net": picture_graph()})
    return trained(build(genome)), genome, {"net": Signature((2, 9, 9), (4,))}


@pytest.fixture(scope="session")
def policy() -> Candidate:
    """Two networks."""
    genome = Genome({"actor": vector_graph(3), "critic": vector_graph(1)})
    signatures = {"actor": Signature((5,), (3,)), "critic": Signature((5,), (1,))}
    return trained(build(genome)), genome, signatures


@pytest.fixture(scope="session")
def plugin() -> Candidate:
    """A model that is no layer graph, of a plug-in space."""
    model = trained(nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)))
    return model, Genome(), {"net": Signature((5,), (2,))}
