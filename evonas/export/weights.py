"""safetensors: the tensors, and the layer graphs as JSON in the header, from which `load` builds.

A model that is no layer graph leaves its tensors alone; its own code must build it.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from evonas import strict
from evonas.errors import ExportError
from evonas.export.winner import Batches, Format, Winner, answers
from evonas.genome import Genome, canonical
from evonas.morph.build import build
from evonas.state import State

_ARCHITECTURE = "architecture"


@final
@dataclass(frozen=True)
class Safetensors(Format):
    """The weights, with the layer graphs in the metadata."""

    suffix: ClassVar[str] = ".safetensors"

    def write(self, winner: Winner, to: Path) -> None:
        """Write the tensors under the names of the model's state."""
        metadata = {**winner.about, "format": "pt"}
        if graphs := winner.genome.architecture:
            rows = {name: graph.to_json() for name, graph in graphs.items()}
            metadata[_ARCHITECTURE] = canonical.text(rows)
        save_file(dict(State.of(winner.model).tensors), to, metadata)

    def read_back(self, winner: Winner, written: Path, inputs: Batches) -> Batches:
        """Build the model from the file alone where it is a layer graph."""
        if winner.genome.architecture:
            model = load(written)
        else:
            model = _blank(winner.model)
            model.load_state_dict(load_file(written))
        return answers(winner.networks(model), inputs)


def load(path: Path) -> nn.Module:
    """Build the model of a safetensors export, with its weights, in eval mode, on the CPU.

    Raises:
        ExportError: if the file holds no layer graph.
    """
    with safe_open(path, framework="pt") as file:
        metadata: Mapping[str, str] = file.metadata() or {}
    if _ARCHITECTURE not in metadata:
        raise ExportError(f"{str(path)!r} holds weights alone: no layer graph to build from")
    graphs = strict.parse(metadata[_ARCHITECTURE].encode())
    model = build(Genome.from_json({"architecture": graphs, "settings": {}, "edits": []}))
    tensors = load_file(path)
    floating = (tensor.dtype for tensor in tensors.values() if tensor.is_floating_point())
    model.to(next(floating, torch.float32)).load_state_dict(tensors)
    return model.eval()


def _blank(model: nn.Module) -> nn.Module:
    """Return a copy without what was learned, so that nothing but the file can bring it back."""
    blank = copy.deepcopy(model)
    for tensor in blank.state_dict().values():
        tensor.zero_()
    return blank
