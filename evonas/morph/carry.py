"""The state across an edit that only makes and removes layers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from evonas.genome import Genome, LayerGraph, Node
from evonas.morph.build import layer
from evonas.morph.naming import prefix
from evonas.seeds import Rng
from evonas.state import State


def carried(before: Genome, after: Genome, state: State, rng: Rng) -> State:
    """Return `state` with fresh tensors for the new layers and none for the removed ones.

    Everything else is kept as it is, and so are the optimizer's slots; new parameters have none.
    """
    tensors = dict(state.tensors)
    generator = torch_generator(rng)
    for name, graph in after.architecture.items():
        start, old = prefix(after, name), before.architecture[name]
        gone = tuple(f"{start}{node.id}." for node in old.nodes if node.id not in graph)
        tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith(gone)}
        for node in graph.nodes:
            if node.id not in old:
                made = fresh(graph, node, floating_dtype(state), generator)
                tensors |= {f"{start}{node.id}.{key}": tensor for key, tensor in made.items()}
    slots = {
        slot: {key: value for key, value in values.items() if key in tensors}
        for slot, values in state.slots.items()
    }
    return State(tensors, slots)


def fresh(
    graph: LayerGraph, node: Node, dtype: torch.dtype, generator: torch.Generator
) -> Mapping[str, Tensor]:
    """Return the tensors of a new layer, drawn in float64; empty if the layer has none."""
    with torch.random.fork_rng(devices=()):  # torch's own layers draw from the global generator
        module = layer(node, [graph.shapes[source] for source in node.inputs], generator)
    return {} if module is None else module.to(dtype).state_dict()


def floating_dtype(state: State) -> torch.dtype:
    """Return the dtype of the candidate's weights."""
    kinds = (tensor.dtype for tensor in state.own.tensors.values() if tensor.is_floating_point())
    return next(kinds, torch.get_default_dtype())


def torch_generator(rng: Rng) -> torch.Generator:
    """Return a torch generator whose draws are a function of the state of `rng`."""
    return torch.Generator().manual_seed(int(rng.integers(2**63)))
