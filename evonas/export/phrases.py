"""The layers of a graph as a person writes them in Python: what makes one, what applies it."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evonas.genome import Node
from evonas.genome.shapes import Shape


def constructor(node: Node, given: Shape) -> str:
    """Return the call that makes the module of a layer whose input has the shape `given`."""
    return _MODULES[node.op](node.params, given)


def expression(node: Node, name: str, values: Sequence[str]) -> str:
    """Return the application of a layer to values; `name` is its module's, or empty."""
    if name:
        return f"self.{name}({', '.join(values)})"
    return _FUNCTIONS[node.op](node.params, values)


def _pool(function: str) -> Callable[[Mapping[str, Any], Sequence[str]], str]:
    return lambda params, values: f"{function}({', '.join([values[0], *_window(params)])})"


def _conv(params: Mapping[str, Any], given: Shape) -> str:
    out, groups = params["out"], params["groups"]
    options = [f"groups={groups}"] if groups != 1 else []
    if not params["bias"]:
        options.append("bias=False")
    arguments = [str(given[0]), str(out), _pair(params["kernel"])]
    for key, usual in (("stride", 1), ("padding", 0), ("dilation", 1)):
        if list(params[key]) != [usual, usual]:
            arguments.append(f"{key}={_pair(params[key])}")
    return f"nn.Conv2d({', '.join([*arguments, *options])})"


def _depthwise(params: Mapping[str, Any], given: Shape) -> str:
    return _conv({**params, "out": given[0], "groups": given[0]}, given)


def _linear(params: Mapping[str, Any], given: Shape) -> str:
    bias = "" if params["bias"] else ", bias=False"
    return f"nn.Linear({given[0]}, {params['out']}{bias})"


def _batch_norm(params: Mapping[str, Any], given: Shape) -> str:
    arguments = [str(given[0])]
    for key, usual in (("eps", 1e-5), ("momentum", 0.1)):
        if not math.isclose(params[key], usual, rel_tol=1e-12):
            arguments.append(f"{key}={params[key]!r}")
    return f"nn.BatchNorm{'2d' if len(given) == 3 else '1d'}({', '.join(arguments)})"


def _window(params: Mapping[str, Any]) -> list[str]:
    arguments = [_pair(params["kernel"])]
    if list(params["stride"]) != list(params["kernel"]):
        arguments.append(f"stride={_pair(params['stride'])}")
    if any(params["padding"]):
        arguments.append(f"padding={_pair(params['padding'])}")
    return arguments


def _pair(values: Sequence[int]) -> str:
    first, second = values
    return str(first) if first == second else f"({first}, {second})"


_ACTIVATIONS: Mapping[str, str] = {
    "relu": "F.relu",
    "relu6": "F.relu6",
    "leaky_relu": "F.leaky_relu",
    "elu": "F.elu",
    "silu": "F.silu",
    "lipswish": "0.909 * F.silu",
    "gelu": "F.gelu",
    "hardswish": "F.hardswish",
    "tanh": "torch.tanh",
    "sigmoid": "torch.sigmoid",
}
_FUNCTIONS: Mapping[str, Callable[[Mapping[str, Any], Sequence[str]], str]] = {
    "act": lambda params, values: f"{_ACTIVATIONS[params['kind']]}({values[0]})",
    "maxpool": _pool("F.max_pool2d"),
    "avgpool": _pool("F.avg_pool2d"),
    "dropout": lambda params, values: f"F.dropout({values[0]}, {params['p']}, self.training)",
    "gap": lambda _, values: f"{values[0]}.mean((2, 3))",
    "flatten": lambda _, values: f"{values[0]}.flatten(1)",
    "concat": lambda _, values: f"torch.cat(({', '.join(values)}), 1)",
    "add": lambda _, values: " + ".join(values),
}
_MODULES: Mapping[str, Callable[[Mapping[str, Any], Shape], str]] = {
    "conv": _conv,
    "depthwise": _depthwise,
    "linear": _linear,
    "bn": _batch_norm,
    "scale": lambda _, given: f"Scale({given[0]})",
    "lerp": lambda _, given: f"Lerp({given[0]})",
    "se": lambda params, given: f"SqueezeExcite({given[0]}, {params['squeeze']})",
}
