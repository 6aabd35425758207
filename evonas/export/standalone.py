"""A readable `model.py` that needs only torch, and its weights in a `.pt` beside it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import torch

from evonas.errors import ExportError
from evonas.export.source import module_source, renamed
from evonas.export.winner import Batches, Format, Winner

_READER = """
import importlib.util, sys, torch
written, questions, answers, names = sys.argv[1:]
spec = importlib.util.spec_from_file_location("model", written)
model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model)
inputs = torch.load(questions, weights_only=True)
networks = model.load()
networks = networks if "," in names else {names: networks}
with torch.no_grad():
    outputs = {name: [networks[name](batch) for batch in inputs[name]] for name in inputs}
torch.save(outputs, answers)
"""


@final
@dataclass(frozen=True)
class Standalone(Format):
    """Python source, written from the layer graphs."""

    suffix: ClassVar[str] = ".py"

    def write(self, winner: Winner, to: Path) -> None:
        """Write the module and its weights, under the layer names of the module."""
        graphs = winner.genome.architecture
        if not graphs:
            raise ExportError(
                "the format 'python' writes layer graphs and this model is none: its code is that "
                "of its search space; use 'safetensors', 'torch' or 'onnx'"
            )
        to.write_text(module_source(graphs, winner.about), encoding="utf-8")
        networks = winner.networks()
        tensors = {name: renamed(graphs[name], networks[name].state_dict()) for name in graphs}
        torch.save(
            tensors if len(graphs) > 1 else next(iter(tensors.values())), to.with_suffix(".pt")
        )

    def read_back(self, winner: Winner, written: Path, inputs: Batches) -> Batches:
        """Load the module in a fresh interpreter, as its reader would.

        Raises:
            ExportError: if it does not run there.
        """
        questions, replies = (written.with_suffix(end) for end in (".inputs", ".outputs"))
        torch.save(dict(inputs), questions)
        names = ",".join(winner.signatures)
        without_traces = ("-P", "-B")  # bytecode beside the file would be handed out with it
        command = [sys.executable, *without_traces, "-c", _READER]
        command += [written, questions, replies, names]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter
        if done.returncode:
            reason = done.stderr.strip().rpartition("\n")[2]
            raise ExportError(f"the written module does not run: {reason}")
        found: Batches = torch.load(replies, weights_only=True)
        questions.unlink()
        replies.unlink()
        return found
