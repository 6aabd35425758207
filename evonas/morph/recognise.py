"""Which layer of a graph a torch module or function is; only what is exactly one of ours counts."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional as F

from evonas.genome.shapes import ACTIVATIONS
from evonas.morph.insertion import Step
from evonas.morph.modules import Lerp, Scale, SqueezeExcite

IDENTITY: Final = "identity"
"""The operation of what passes its input on, and so is no layer."""

ADAPTIVE: Final = "adaptive"
"""The operation of pooling to a size: one of ours, once the size of the map is known."""

OURS = (Lerp, Scale, SqueezeExcite)


def of_module(module: nn.Module) -> Step | None:
    """Return the operation and parameters that a module is, or None if it is no layer of ours."""
    kind = _kind_of(module)
    if kind is not None:
        return "act", {"kind": kind}
    read = _MODULES.get(type(module))
    return None if read is None else read(module)


def of_function(target: object, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Step | None:
    """Return the operation that a call is, or None; `args` are those after the tensors.

    Args:
        target: The function, or a tensor method's name.
        args: The positional arguments that are no tensors.
        kwargs: The others.
    """
    given = {name: value for name, value in kwargs.items() if name != "inplace"}
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    kind = name.removesuffix("_")
    if kind in ACTIVATIONS and target in _named_alike(name):
        return ("act", {"kind": kind}) if not args and not given else None
    for targets, read in _FUNCTIONS:
        if target in targets:
            return read(list(args), given)
    return None


def _named_alike(name: str) -> tuple[object, ...]:
    """Return the functions that torch has under a name, and the method."""
    return (getattr(F, name, name), getattr(torch, name, name), name)


def _kind_of(module: nn.Module) -> str | None:
    """Return the kind of an activation that has its default form."""
    match module:
        case nn.LeakyReLU(negative_slope=0.01):
            return "leaky_relu"
        case nn.ELU(alpha=1.0):
            return "elu"
        case nn.GELU(approximate="none"):
            return "gelu"
        case _:
            return _PLAIN.get(type(module))


def _conv(module: nn.Conv2d) -> Step | None:
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        return None
    params: dict[str, Any] = {
        "kernel": list(module.kernel_size),
        "stride": list(module.stride),
        "padding": list(module.padding),
        "dilation": list(module.dilation),
        "bias": "bias" in module.state_dict(),
    }
    if module.groups == module.in_channels == module.out_channels > 1:
        return "depthwise", params
    return "conv", {**params, "out": module.out_channels, "groups": module.groups}


def _linear(module: nn.Linear) -> Step:
    return "linear", {"out": module.out_features, "bias": "bias" in module.state_dict()}


def _norm(module: nn.BatchNorm1d | nn.BatchNorm2d) -> Step | None:
    if not (module.affine and module.track_running_stats):
        return None
    return "bn", {"eps": module.eps, "momentum": module.momentum}


def _max_pool(module: nn.MaxPool2d) -> Step | None:
    if module.ceil_mode or module.return_indices or _pair(module.dilation) != [1, 1]:
        return None
    return "maxpool", _window(module.kernel_size, module.stride, module.padding)


def _average_pool(module: nn.AvgPool2d) -> Step | None:
    if module.ceil_mode or not module.count_include_pad or module.divisor_override is not None:
        return None
    return "avgpool", _window(module.kernel_size, module.stride, module.padding)


def _pool_call(op: str) -> Callable[[list[Any], dict[str, Any]], Step | None]:
    def read(args: list[Any], given: dict[str, Any]) -> Step | None:
        given |= dict(zip(("kernel_size", "stride", "padding"), args, strict=False))
        usual = {"dilation": 1, "ceil_mode": False, "return_indices": False}
        usual |= {"count_include_pad": True, "divisor_override": None}
        unusual = any(given.get(name, value) != value for name, value in usual.items())
        if unusual or len(args) > 3:
            return None
        return op, _window(given["kernel_size"], given.get("stride"), given.get("padding", 0))

    return read


def _adaptive_call(args: list[Any], given: dict[str, Any]) -> Step | None:
    return _adaptive([*args, *given.values()][0])


def _adaptive(size: Any) -> Step | None:
    pair: list[int | None] = _pair(size)
    return None if None in pair else (ADAPTIVE, {"size": pair})


def _flat_call(args: list[Any], given: dict[str, Any]) -> Step | None:
    start = [*args, given.get("start_dim", 0)][0]
    end = [*args[1:], given.get("end_dim", -1)][0]
    return ("flatten", {}) if (start, end) == (1, -1) else None


def _mean_call(args: list[Any], given: dict[str, Any]) -> Step | None:
    over = [*args, given.get("dim", ())][0]
    keeps = [*args[1:], given.get("keepdim", False)][0]
    whole = isinstance(over, tuple | list) and sorted(d % 4 for d in over) == [2, 3]
    return ("gap", {}) if whole and not keeps else None


def _cat_call(args: list[Any], given: dict[str, Any]) -> Step | None:
    return ("concat", {}) if [*args, given.get("dim", 0)][0] == 1 else None


def _add_call(args: list[Any], given: dict[str, Any]) -> Step | None:
    return ("add", {}) if not args and not given else None


def _window(kernel: Any, stride: Any, padding: Any) -> dict[str, list[int]]:
    step = kernel if stride in {None, ()} else stride
    return {"kernel": _pair(kernel), "stride": _pair(step), "padding": _pair(padding)}


def _pair(size: Any) -> list[Any]:
    return list(size) if isinstance(size, tuple | list) else [size, size]


_PLAIN: Mapping[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.SiLU: "silu",
    nn.Hardswish: "hardswish",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
}
_MODULES: Mapping[type[nn.Module], Callable[[Any], Step | None]] = {
    nn.Conv2d: _conv,
    nn.Linear: _linear,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _average_pool,
    nn.AdaptiveAvgPool2d: lambda module: _adaptive(module.output_size),
    nn.Flatten: lambda m: ("flatten", {}) if (m.start_dim, m.end_dim) == (1, -1) else None,
    nn.Dropout: lambda module: ("dropout", {"p": module.p}),
    nn.Identity: lambda _: (IDENTITY, {}),
    Scale: lambda _: ("scale", {}),
    Lerp: lambda _: ("lerp", {}),
    SqueezeExcite: lambda module: ("se", {"squeeze": module.reduce.out_features}),
}
_FUNCTIONS: Sequence[
    tuple[tuple[object, ...], Callable[[list[Any], dict[str, Any]], Step | None]]
] = (
    ((operator.add, operator.iadd, torch.add, "add", "add_"), _add_call),
    ((torch.cat, torch.concat), _cat_call),
    ((torch.flatten, "flatten"), _flat_call),
    ((torch.mean, "mean"), _mean_call),
    ((F.max_pool2d, torch.max_pool2d), _pool_call("maxpool")),
    ((F.avg_pool2d,), _pool_call("avgpool")),
    ((F.adaptive_avg_pool2d,), _adaptive_call),
)
