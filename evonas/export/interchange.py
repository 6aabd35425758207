"""ONNX: the computation for any runtime, by torch's exporter, for any batch size."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, final

import torch

from evonas.errors import ExportError
from evonas.export.program import traced
from evonas.export.winner import Batches, Format, Winner

_NEEDS = ("onnx", "onnxruntime", "onnxscript")


@final
@dataclass(frozen=True)
class Onnx(Format):
    """An ONNX file for each network, with `inputs`, `outputs` and the facts as metadata."""

    suffix: ClassVar[str] = ".onnx"

    def write(self, winner: Winner, to: Path) -> None:
        """Translate the traced programs."""
        require("onnx", _NEEDS)
        for name, path in winner.places(to).items():
            _translated(winner, name).save(path, external_data=False)

    def read_back(self, winner: Winner, written: Path, inputs: Batches) -> Batches:
        """Run the files with onnxruntime on the CPU."""
        runtime = import_module("onnxruntime")
        found: dict[str, list[torch.Tensor]] = {}
        for name, path in winner.places(written).items():
            session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
            found[name] = [
                torch.from_numpy(session.run(["outputs"], {"inputs": batch.numpy()})[0])
                for batch in inputs[name]
            ]
        return found


def require(extra: str, modules: Sequence[str]) -> None:
    """Check that the modules of an optional extra are installed.

    Raises:
        ExportError: if not, with the command that installs them.
    """
    if missing := [name for name in modules if find_spec(name) is None]:
        raise ExportError(
            f"the format {extra!r} needs {', '.join(missing)}; "
            f"install with: pip install 'evonas[{extra}]'"
        )


def _translated(winner: Winner, name: str) -> Any:
    try:
        program: Any = torch.onnx.export(
            traced(winner, name),
            input_names=["inputs"],
            output_names=["outputs"],
            dynamo=True,
            verbose=False,
        )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error).strip().partition("\n")[0]
        raise ExportError(f"ONNX cannot hold the network {name!r}: {reason}") from error
    program.model.metadata_props.update(winner.about)
    return program
