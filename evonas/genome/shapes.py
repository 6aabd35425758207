"""The operations of a layer graph, their parameters, and the shapes they make.

A shape leaves the batch out: (channels, height, width) for pictures, (features,) for vectors.
Kernel sizes, strides, paddings and dilations are [vertical, horizontal] pairs.

| op | parameters | inputs |
|---|---|---|
| input | shape | 0 |
| conv | out, kernel, stride, padding, dilation, groups, bias | 1 picture |
| depthwise | kernel, stride, padding, dilation, bias | 1 picture |
| linear | out, bias | 1 vector |
| bn | eps, momentum | 1 |
| act | kind: one of `ACTIVATIONS` | 1 |
| maxpool, avgpool | kernel, stride, padding | 1 picture |
| gap (global average pool), flatten | | 1 picture |
| add | | 2 or more of one shape |
| concat | | 2 or more, equal but for channels |
| scale: x * s, s per channel | | 1 |
| lerp: x + s * (f - x), s per channel | | x and f of one shape |
| se: x * 2 sigmoid(W2 relu(W1 gap(x))) | squeeze: hidden width | 1 picture |
| dropout | p | 1 |
| output | | 1 |
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.errors import EditError

Shape = tuple[int, ...]

ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "silu",
    "lipswish",
    "gelu",
    "hardswish",
    "tanh",
    "sigmoid",
)
IDEMPOTENT = frozenset({"relu", "relu6"})
SINGLE = frozenset(
    {"conv", "depthwise", "linear", "bn", "act", "maxpool", "avgpool", "gap", "flatten", "scale"}
    | {"se", "dropout", "output"}
)
OPS = SINGLE | {"input", "add", "concat", "lerp"}
_COUNTS: Mapping[str, int] = {"input": 0, "lerp": 2} | dict.fromkeys(SINGLE, 1)
_PICTURE = frozenset({"conv", "depthwise", "maxpool", "avgpool", "gap", "flatten", "se"})


def output_shape(name: str, op: str, params: Mapping[str, Any], inputs: Sequence[Shape]) -> Shape:
    """Return the shape that layer `name` makes of its inputs' shapes.

    Raises:
        EditError: if the operation cannot take these inputs.
    """
    _check_inputs(name, op, inputs)
    match op:
        case "input":
            return tuple(params["shape"])
        case "conv" | "depthwise" | "maxpool" | "avgpool":
            (channels, *size), *_ = inputs
            return (_channels(name, op, params, channels), *_swept(name, params, size))
        case "linear":
            return (int(params["out"]),)
        case "gap" | "flatten":
            return (math.prod(inputs[0]) if op == "flatten" else inputs[0][0],)
        case "concat":
            return (sum(shape[0] for shape in inputs), *inputs[0][1:])
        case _:
            return inputs[0]


def _check_inputs(name: str, op: str, inputs: Sequence[Shape]) -> None:
    if op not in OPS:
        raise EditError(f"layer {name!r} has the unknown operation {op!r}")
    count = _COUNTS.get(op)
    if len(inputs) != count if count is not None else len(inputs) < 2:
        raise EditError(f"layer {name!r} ({op}) cannot take {len(inputs)} inputs")
    if op in _PICTURE and len(inputs[0]) != 3:
        raise EditError(f"layer {name!r} ({op}) needs a picture, given shape {inputs[0]}")
    if op == "linear" and len(inputs[0]) != 1:
        raise EditError(f"layer {name!r} (linear) needs a vector, given shape {inputs[0]}")
    if len(inputs) > 1:
        same = [shape[1:] if op == "concat" else shape for shape in inputs]
        if any(shape != same[0] for shape in same):
            raise EditError(f"layer {name!r} ({op}) cannot join shapes {list(inputs)}")


def _channels(name: str, op: str, params: Mapping[str, Any], given: int) -> int:
    if op != "conv":
        return given
    out, groups = int(params["out"]), int(params["groups"])
    if out < 1 or given % groups or out % groups:
        raise EditError(
            f"layer {name!r}: {groups} groups do not divide {given} into {out} channels"
        )
    return out


def _swept(name: str, params: Mapping[str, Any], size: Sequence[int]) -> Sequence[int]:
    """Return height and width after a window of `kernel` has swept over a map of `size`."""
    dilation = params.get("dilation", (1, 1))
    swept = [
        (extent + 2 * padding - reach * (kernel - 1) - 1) // stride + 1
        for extent, kernel, stride, padding, reach in zip(
            size, params["kernel"], params["stride"], params["padding"], dilation, strict=True
        )
    ]
    if min(swept) < 1:
        raise EditError(f"layer {name!r} leaves nothing of a map of size {tuple(size)}")
    return swept
