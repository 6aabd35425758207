"""Layer graphs as modules: every graph becomes one torch.fx GraphModule, readable as code.

A layer with parameters is the submodule named by its node; the rest are plain function calls.
Convolutions and linear layers start from He's initialisation (Delving Deep into Rectifiers,
He et al., 2015, https://arxiv.org/abs/1502.01852), drawn from torch's global generator.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from evonas.errors import EditError
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.params import check_name
from evonas.genome.shapes import Shape
from evonas.morph.modules import Lerp, Scale, SqueezeExcite, lipswish

LAYER = "layer"
"""Under this name the code's nodes keep, in their `meta`, the id of the layer they compute."""


def build(genome: Genome) -> nn.Module:
    """Build a genome's only graph, or an `nn.ModuleDict` of its graphs by name."""
    modules = {name: build_graph(graph) for name, graph in genome.architecture.items()}
    return next(iter(modules.values())) if len(modules) == 1 else nn.ModuleDict(modules)


def build_graph(graph: LayerGraph) -> fx.GraphModule:
    """Build a layer graph with fresh weights; its `input` nodes are the arguments, in order."""
    root, code = nn.Module(), fx.Graph()
    values: dict[str, fx.Node] = {}
    for node in graph.nodes:
        check_name(node.id)  # fx writes names into the code that it runs
        module = layer(node, [graph.shapes[source] for source in node.inputs])
        if module is not None:
            _attach(root, node.id, module)
        values[node.id] = _call(code, node, [values[source] for source in node.inputs])
        values[node.id].meta.setdefault(LAYER, node.id)
    code.output(values[graph.output.inputs[0]])
    return fx.GraphModule(root, code, class_name="Network")


def layer(
    node: Node, inputs: Sequence[Shape], generator: torch.Generator | None = None
) -> nn.Module | None:
    """Return the fresh module of one layer, or None if its operation has no state.

    With a generator of its own the weights are drawn from that, in float64.
    """
    make = _MODULES.get(node.op)
    if make is None:
        return None
    module = make(node.params, inputs[0])
    if generator is not None:
        module = module.double()
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear) and not part.weight.is_meta:
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    if isinstance(module, SqueezeExcite):
        nn.init.zeros_(module.expand.weight)
        with torch.no_grad():  # after a ReLU all means are positive: negative rows would be dead
            module.reduce.weight.abs_()
    return module


def _call(code: fx.Graph, node: Node, inputs: list[fx.Node]) -> fx.Node:
    """Write the node's line of code and return its value."""
    name = node.id.replace(".", "_")
    if node.op == "input":
        return code.placeholder(name)
    if node.op == "output":
        return inputs[0]
    if node.op in _MODULES:
        return code.create_node("call_module", node.id, tuple(inputs), name=name)
    if node.op == "add":
        value = inputs[0]
        for other in inputs[1:]:
            value = code.call_function(operator.add, (value, other))
        return value
    function, arguments = _function(node.op, node.params)
    given = (inputs,) if node.op == "concat" else (inputs[0],)
    return code.create_node("call_function", function, (*given, *arguments), name=name)


def _function(op: str, params: Mapping[str, Any]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the function of an operation without state, and its arguments after the inputs."""
    if op == "act":
        return _ACTIVATIONS[params["kind"]], ()
    if op in {"maxpool", "avgpool"}:
        window = tuple(tuple(params[key]) for key in ("kernel", "stride", "padding"))
        return (F.max_pool2d if op == "maxpool" else F.avg_pool2d), window
    whole: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "gap": (torch.mean, ((2, 3),)),
        "flatten": (torch.flatten, (1,)),
        "concat": (torch.cat, (1,)),
    }
    return whole[op]


def _attach(root: nn.Module, path: str, module: nn.Module) -> None:
    """Put `module` under a dotted path, with an empty module for every block on the way."""
    *blocks, local = path.split(".")
    for block in blocks:
        if not isinstance(getattr(root, block, None), nn.Module):
            _add(root, block, nn.Module())
        root = root.get_submodule(block)
    _add(root, local, module)


def _add(root: nn.Module, name: str, module: nn.Module) -> None:
    if hasattr(root, name):
        raise EditError(f"a layer or block is called {name!r}, which a module has for itself")
    root.add_module(name, module)


def _conv(params: Mapping[str, Any], shape: Shape) -> nn.Module:
    return nn.Conv2d(
        shape[0],
        params["out"],
        tuple(params["kernel"]),
        tuple(params["stride"]),
        tuple(params["padding"]),
        tuple(params["dilation"]),
        params["groups"],
        params["bias"],
    )


def _depthwise(params: Mapping[str, Any], shape: Shape) -> nn.Module:
    return _conv({**params, "out": shape[0], "groups": shape[0]}, shape)


def _batch_norm(params: Mapping[str, Any], shape: Shape) -> nn.Module:
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return kind(shape[0], params["eps"], params["momentum"])


_MODULES: Mapping[str, Callable[[Mapping[str, Any], Shape], nn.Module]] = {
    "conv": _conv,
    "depthwise": _depthwise,
    "linear": lambda params, shape: nn.Linear(shape[0], params["out"], params["bias"]),
    "bn": _batch_norm,
    "scale": lambda _, shape: Scale(shape[0]),
    "lerp": lambda _, shape: Lerp(shape[0]),
    "se": lambda params, shape: SqueezeExcite(shape[0], params["squeeze"]),
    "dropout": lambda params, _: nn.Dropout(params["p"]),
}
_ACTIVATIONS: Mapping[str, Callable[..., Any]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "silu": F.silu,
    "lipswish": lipswish,
    "gelu": F.gelu,
    "hardswish": F.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
