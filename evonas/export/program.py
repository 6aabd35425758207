"""torch.export: the computation as a `.pt2` program that needs torch alone, for any batch size."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import torch
from torch.export import Dim, ExportedProgram

from evonas.errors import ExportError
from evonas.export.winner import Batches, Format, Winner, answers

_EXAMPLE = (2,)
"""torch.export would take a batch of 1 for a constant."""


@final
@dataclass(frozen=True)
class TorchProgram(Format):
    """A `torch.export` program for each network."""

    suffix: ClassVar[str] = ".pt2"

    def write(self, winner: Winner, to: Path) -> None:
        """Write the programs; the facts about them go into an extra file of each, `about.txt`."""
        about = "".join(f"{key}: {value}\n" for key, value in winner.about.items())
        for name, path in winner.places(to).items():
            torch.export.save(traced(winner, name), path, extra_files={"about.txt": about})

    def read_back(self, winner: Winner, written: Path, inputs: Batches) -> Batches:
        """Load the programs with `torch.export.load`."""
        places = winner.places(written)
        return answers(
            {name: torch.export.load(path).module() for name, path in places.items()}, inputs
        )


def traced(winner: Winner, name: str) -> ExportedProgram:
    """Trace one network, its batch size left open.

    Raises:
        ExportError: if torch cannot.
    """
    (example,) = winner.random_inputs(_EXAMPLE, torch.Generator().manual_seed(0))[name]
    shapes = ({0: Dim("batch", min=1)},)
    try:
        with torch.no_grad():
            return torch.export.export(winner.networks()[name], (example,), dynamic_shapes=shapes)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ExportError(f"torch.export cannot trace the network {name!r}: {reason}") from error
