"""Any traceable torch network as a layer graph with its weights, so that it can go on evolving.

The network is traced by `torch.fx`, and every module and function in it is told apart. What is not
exactly one of our layers is named and refused, and the adopted network is compared with the
original before it is handed out.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, fx, nn

from evonas.errors import ConfigError, EditError
from evonas.genome import LayerGraph, Node
from evonas.genome.shapes import Shape, output_shape
from evonas.morph.build import build_graph
from evonas.morph.insertion import Step
from evonas.morph.recognise import ADAPTIVE, IDENTITY, OURS, of_function, of_module
from evonas.state import State

_TOLERANCE = 1e-4
_CALLS = ("call_", "get_attr")


def adopt(module: nn.Module, example: Tensor) -> tuple[LayerGraph, State]:
    """Return a network as a layer graph, and its weights under the graph's names.

    A module `a.b.c` becomes the layer `c` of the block `a_b`.

    Args:
        module: From one tensor to one tensor; left as it is.
        example: A batch of inputs.

    Raises:
        ConfigError: naming what cannot be traced or is no layer of ours.
    """
    module, example = deepcopy(module).cpu().eval(), example.cpu()
    expected = _outputs(module, example)
    reader = _Reader(module, tuple(example.shape[1:]))
    try:
        graph = reader.read(_traced(module))
        graph.validate()
    except EditError as error:
        raise ConfigError(f"cannot adopt {type(module).__name__}: {error}") from None
    own = State.of(module).tensors
    tensors = {
        f"{node_id}.{name.removeprefix(f'{target}.')}": tensor
        for target, node_id in reader.stateful.items()
        for name, tensor in own.items()
        if name.startswith(f"{target}.")
    }
    with torch.random.fork_rng(devices=()):  # these fresh weights are drawn to be overwritten
        adopted = build_graph(graph).to(example.dtype).eval()
    adopted.load_state_dict(dict(tensors))
    error = (_outputs(adopted, example) - expected).abs().max() / (1 + expected.abs().max())
    if not error <= _TOLERANCE:
        raise ConfigError(
            f"cannot adopt {type(module).__name__}: the layer graph computes something else, by"
            f" {float(error):.2g}; only networks of plain layers can be adopted"
        )
    return graph, State(tensors)


def _outputs(module: nn.Module, example: Tensor) -> Tensor:
    """Return what the network makes of the example.

    Raises:
        ConfigError: if it does not take it, or makes no tensor of it.
    """
    try:
        with torch.no_grad():
            outputs = module(example)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{type(module).__name__} does not take inputs of shape {tuple(example.shape[1:])}:"
            f" {str(error).splitlines()[0]}"
        ) from error
    if not isinstance(outputs, Tensor):
        raise ConfigError(
            f"{type(module).__name__} puts out a {type(outputs).__name__}, should be one tensor"
        )
    return outputs


class _Tracer(fx.Tracer):
    """Takes our own modules as a whole, as it does torch's."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, OURS) or super().is_leaf_module(m, module_qualified_name)


def _traced(module: nn.Module) -> fx.Graph:
    try:
        code = fx.GraphModule(module, _Tracer().trace(module)).graph
    except Exception as error:
        raise ConfigError(
            f"cannot trace {type(module).__name__} ({type(error).__name__}: {error}); its forward"
            " must take one tensor and branch on no values"
        ) from error
    code.eliminate_dead_code()
    return code


class _Reader:
    """Reads traced code line by line.

    Attributes:
        stateful: The layer's name for every module with tensors.
    """

    def __init__(self, module: nn.Module, shape: Shape) -> None:
        self.stateful: dict[str, str] = {}
        self._module = module
        self._shape = shape
        self._layers: list[Node] = []
        self._shapes: dict[str, Shape] = {}
        self._names: dict[fx.Node, str] = {}

    def read(self, code: fx.Graph) -> LayerGraph:
        """Return the graph.

        Raises:
            ConfigError: naming every part that is no layer of ours.
        """
        calls = {line: self._step(line) for line in code.nodes if line.op.startswith(_CALLS)}
        unknown = {self._described(line): None for line, (_, step) in calls.items() if not step}
        if unknown:
            raise ConfigError(
                f"cannot adopt {type(self._module).__name__}: {', '.join(unknown)}; evonas varies"
                " convolutions, batch norm, pooling, linear layers, sums, concatenations, ... in"
                " their plain forms"
            )
        for line in code.nodes:
            if line in calls:
                self._call(line, *calls[line])
            elif line.op == "placeholder":
                self._put(line, "input", (), {"shape": list(self._shape)})
            else:
                self._put(line, "output", tuple(line.all_input_nodes), {})
        return LayerGraph(tuple(self._layers))

    def _step(self, line: fx.Node) -> tuple[tuple[fx.Node, ...], Step | None]:
        """Return the tensors that a line reads, and what it does with them, None if unknown."""
        tensors = tuple(line.all_input_nodes)
        if line.op == "call_module":
            return tensors, of_module(self._submodule(line))
        if line.op == "get_attr":
            return (), None
        head = line.args[0] if line.args else None
        given = [*head, *line.args[1:]] if isinstance(head, list | tuple) else [*line.args]
        tensors = tuple(value for value in given if isinstance(value, fx.Node))
        others = [value for value in given if not isinstance(value, fx.Node)]
        known = set(tensors) == set(line.all_input_nodes)  # none hides in a keyword
        return tensors, of_function(line.target, others, line.kwargs) if known else None

    def _call(self, line: fx.Node, tensors: tuple[fx.Node, ...], step: Step | None) -> None:
        assert step is not None, "unknown steps were refused"
        op, params = self._settled(tensors, *step)
        if op == IDENTITY:
            self._names[line] = self._names[tensors[0]]
        else:
            self._put(line, op, tensors, params)

    def _settled(self, tensors: tuple[fx.Node, ...], op: str, params: Mapping[str, Any]) -> Step:
        """Return what a step is on tensors of these shapes."""
        shape = self._shapes[self._names[tensors[0]]]
        if (op == "flatten" and len(shape) == 1) or (op == "concat" and len(tensors) == 1):
            return IDENTITY, {}
        if op != ADAPTIVE:
            return op, params
        size = tuple(params["size"])
        if size == (1, 1):
            return "gap", {}
        if size == shape[1:]:
            return IDENTITY, {}
        ratio = [have // want for have, want in zip(shape[1:], size, strict=True)]
        return "avgpool", {"kernel": ratio, "stride": ratio, "padding": [0, 0]}

    def _put(
        self, line: fx.Node, op: str, tensors: tuple[fx.Node, ...], params: Mapping[str, Any]
    ) -> None:
        name = self._name(line)
        inputs = tuple(self._names[tensor] for tensor in tensors)
        self._shapes[name] = output_shape(name, op, params, [self._shapes[i] for i in inputs])
        self._layers.append(Node(name, op, inputs, params))
        self._names[line] = name

    def _name(self, line: fx.Node) -> str:
        """Return the layer's name, and note it for a module with tensors.

        Raises:
            ConfigError: if a module with tensors is called twice.
        """
        if line.op != "call_module" or not self._submodule(line).state_dict():
            return line.name
        target = str(line.target)
        if target in self.stateful:
            raise ConfigError(
                f"cannot adopt {type(self._module).__name__}: {target!r} is called twice, and"
                " layers that share weights cannot evolve; give each call a module of its own"
            )
        *blocks, local = target.split(".")
        local = f"layer{local}" if local.isdigit() else local
        self.stateful[target] = ".".join(["_".join(blocks), local] if blocks else [local])
        return self.stateful[target]

    def _submodule(self, line: fx.Node) -> nn.Module:
        return self._module.get_submodule(str(line.target))

    def _described(self, line: fx.Node) -> str:
        if line.op == "call_module":
            return f"{str(line.target)!r} ({self._submodule(line)})"
        name = line.target if isinstance(line.target, str) else line.target.__name__
        return f"{name!r} ({line.op.removeprefix('call_')})"
