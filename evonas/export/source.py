"""Layer graphs as Python source that needs only torch and that a person would have written."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from evonas.errors import ExportError
from evonas.export.listing import Line, Listing
from evonas.export.phrases import constructor, expression
from evonas.genome import LayerGraph
from evonas.genome.shapes import Shape
from evonas.morph.modules import Lerp, Scale, SqueezeExcite

_WIDTH = 100
_OWN: Mapping[str, type[nn.Module]] = {"scale": Scale, "lerp": Lerp, "se": SqueezeExcite}


def module_source(architecture: Mapping[str, LayerGraph], about: Mapping[str, str]) -> str:
    """Return the text of a module with one class a graph and `load`, for weights beside it."""
    classes = {name: _class_name(name, len(architecture) == 1) for name in architecture}
    if len(set(classes.values())) < len(classes):
        raise ExportError(f"the networks {sorted(classes)} would share a class; rename one")
    used = {node.op for graph in architecture.values() for node in graph.nodes}
    own = [_source_of(module) for op, module in _OWN.items() if op in used]
    networks = [_network(classes[name], graph) for name, graph in architecture.items()]
    body = "\n\n\n".join([*own, *networks, _loader(classes)])
    functional = "from torch.nn import functional as F\n" if "F." in body else ""
    return (
        f"{_docstring(classes, architecture, about)}\n\nfrom pathlib import Path\n\nimport torch\n"
        f"from torch import Tensor, nn\n{functional}\n"
        f'WEIGHTS = Path(__file__).with_suffix(".pt")\n\n\n{body}\n'
    )


def renamed(graph: LayerGraph, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of a built graph under the names that the written class has for them."""
    found: dict[str, Any] = {}
    for node_id, name in Listing.of(graph).names.items():
        before = f"{node_id}."
        found |= {
            f"{name}.{key.removeprefix(before)}": tensor
            for key, tensor in tensors.items()
            if key.startswith(before)
        }
    return found


def _class_name(name: str, alone: bool) -> str:
    words = re.split(r"[\W_]+", name)
    return "Network" if alone else "".join(word.capitalize() for word in words) + "Network"


def _source_of(module: type[nn.Module]) -> str:
    return inspect.getsource(module).removeprefix("@final\n").rstrip()


def _docstring(
    classes: Mapping[str, str], architecture: Mapping[str, LayerGraph], about: Mapping[str, str]
) -> str:
    facts = [f"    {_plain(key)}: {_plain(value)}" for key, value in about.items()]
    origin = ["It was:", "", *facts, ""] if facts else []
    first, graph = next(iter(architecture.items()))
    batches = [
        f"torch.randn(1, {', '.join(map(str, graph.shapes[node.id]))})"
        for node in graph.nodes
        if node.op == "input"
    ]
    picked = "load()" if len(classes) == 1 else f"load()[{_plain(repr(first))}]"
    use = [
        "Needs only torch. The weights are in the file of the same name that ends in .pt:",
        "",
        "    from <this file> import load",
        "",
        f"    network = {picked}",
        f"    outputs = network({', '.join(batches)})",
    ]
    return "\n".join(['"""A network that evonas found.', "", *origin, *use, '"""'])


def _plain(value: str) -> str:
    """Return text that can stand inside a docstring, whatever it is."""
    printable = value.encode("ascii", "backslashreplace").decode()
    return " ".join(printable.replace("\\", "/").replace('"', "'").split())


def _loader(classes: Mapping[str, str]) -> str:
    if len(classes) == 1:
        (name,) = classes.values()
        return "\n".join(
            [
                f"def load(weights: Path = WEIGHTS) -> {name}:",
                '    """Return the trained network, in eval mode, on the CPU."""',
                f"    network = {name}()",
                '    tensors = torch.load(weights, map_location="cpu", weights_only=True)',
                "    network.load_state_dict(tensors)",
                "    return network.eval()",
            ]
        )
    made = ", ".join(f"{key!r}: {name}()" for key, name in classes.items())
    return "\n".join(
        [
            "def load(weights: Path = WEIGHTS) -> dict[str, nn.Module]:",
            '    """Return the trained networks by name, in eval mode, on the CPU."""',
            f"    networks = {{{made}}}",
            '    tensors = torch.load(weights, map_location="cpu", weights_only=True)',
            "    for name, network in networks.items():",
            "        network.load_state_dict(tensors[name])",
            "        network.eval()",
            "    return networks",
        ]
    )


def _network(class_name: str, graph: LayerGraph) -> str:
    listing = Listing.of(graph)
    inputs = [graph.shapes[node.id] for node in graph.nodes if node.op == "input"]
    shapes = f"{' and '.join(map(_size, inputs))} to {_size(graph.shapes[graph.output.id])}"
    arguments = ", ".join(f"{name}: Tensor" for name in listing.inputs)
    layers = [
        f"        self.{name} = {constructor(graph[node], graph.shapes[graph[node].inputs[0]])}"
        for node, name in listing.names.items()
    ]
    return "\n".join(
        [
            f"class {class_name}(nn.Module):",
            f'    """From {shapes}."""',
            "",
            "    def __init__(self) -> None:",
            "        super().__init__()",
            *(_folded(layer) for layer in layers),
            "",
            f"    def forward(self, {arguments}) -> Tensor:",
            '        """Compute the outputs of a batch."""',
            *_steps(listing),
        ]
    )


def _size(shape: Shape) -> str:
    return " x ".join(map(str, shape)) + (" values" if len(shape) == 1 else "")


def _folded(line: str) -> str:
    """Break a line that is too long inside its outermost parentheses."""
    if len(line) <= _WIDTH:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    head, _, rest = line.partition("(")
    inner, _, _ = rest.rpartition(")")
    return f"{head}(\n{indent}    {inner}\n{indent})"


def _steps(listing: Listing) -> Iterator[str]:
    """Yield the lines of the forward pass; the name of a block stands above its first one."""
    block = ""
    *lines, last = listing.lines
    for line in lines:
        if line.chain[0].block not in {"", block}:
            yield f"        # {_plain(line.chain[0].block)}"
        block = line.chain[0].block
        yield _folded(f"        {line.target} = {_value(line, listing)}")
    yield _folded(f"        return {_value(last, listing)}")


def _value(line: Line, listing: Listing) -> str:
    values = list(line.reads)
    for node in line.chain:
        values = [expression(node, listing.names.get(node.id, ""), values)]
    return values[0]
