"""Hand out a trained winner: write it, read it back, compare, and only then let it appear."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from evonas import seeds
from evonas.errors import ExportError, unknown
from evonas.export.interchange import Onnx
from evonas.export.program import TorchProgram
from evonas.export.standalone import Standalone
from evonas.export.weights import Safetensors
from evonas.export.winner import Format, Winner, answers

FORMATS: Mapping[str, Format] = {
    "safetensors": Safetensors(),
    "torch": TorchProgram(),
    "onnx": Onnx(),
    "python": Standalone(),
}
TOLERANCE = 1e-4
"""Largest difference to the searched model, relative to its largest output where that exceeds 1."""
_BATCHES = (1, 2, 7)


def export(winner: Winner, to: Path, format_name: str | None = None) -> tuple[Path, ...]:
    """Write a trained model to `to`, in a named format or the one that its suffix says.

    What is written is loaded as its reader would and asked about random inputs; the files appear,
    in one step each and weights first, when it answers like the searched model.

    Args:
        winner: Made by `Winner.of`.
        to: File to write; formats of one network a file add `-NAME` where there are more.
        format_name: One of `FORMATS`.

    Returns:
        The files, sorted by name.

    Raises:
        ConfigError: if there is no such format.
        ExportError: if the model cannot be written so, or comes back different; nothing is left.
    """
    return hand_out(winner, _format(format_name, to), to)


def hand_out(winner: Winner, chosen: Format, to: Path) -> tuple[Path, ...]:
    """Write `winner` as `export` does, in any format."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{to.stem}-", dir=to.parent) as folder:
            written = Path(folder) / to.name
            chosen.write(winner, written)
            _compare(winner, chosen, written)
            files = sorted(Path(folder).iterdir())
            return tuple(file.replace(to.parent / file.name) for file in files)
    except OSError as error:
        raise ExportError(f"cannot write {str(to)!r}: {error.strerror or error}") from error


def _format(name: str | None, to: Path) -> Format:
    by_suffix = {chosen.suffix: key for key, chosen in FORMATS.items()}
    key = by_suffix.get(to.suffix) if name is None else name
    if key is None:
        raise ExportError(f"{str(to)!r} says no format; known endings: {', '.join(by_suffix)}")
    if key not in FORMATS:
        raise unknown("export format", key, FORMATS)
    if to.suffix != FORMATS[key].suffix:
        raise ExportError(
            f"a file of the format {key!r} ends in {FORMATS[key].suffix!r}, given {str(to)!r}"
        )
    return FORMATS[key]


def _compare(winner: Winner, chosen: Format, written: Path) -> None:
    """Compare what was written with the searched model, for several batch sizes."""
    generator = torch.Generator().manual_seed(seeds.integer(0, "export"))
    inputs = winner.random_inputs(_BATCHES, generator)
    expected = answers(winner.networks(), inputs)
    found = chosen.read_back(winner, written, inputs)
    for name, outputs in expected.items():
        for one, other in zip(outputs, found[name], strict=True):
            difference = _difference(one, other)
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"{written.name!r} computes something else than the searched model: at a batch "
                    f"of {len(one)} the outputs differ by {difference:.3g}, {TOLERANCE:g} is "
                    "allowed; nothing was written"
                )


def _difference(expected: Tensor, found: Tensor) -> float:
    """Return the largest difference: infinite for another shape, NaN if not finite."""
    if expected.shape != found.shape:
        return float("inf")
    gap = (expected.double() - found.double()).abs().max()
    return float(gap / expected.double().abs().max().clamp(min=1))
