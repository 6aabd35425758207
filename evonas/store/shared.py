"""What all candidates of a run share, and the question it answers."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import tomli_w
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from evonas import rows, strict
from evonas.errors import StoreError
from evonas.store.files import write, write_text

_PREPARED, _REFERENCE = "prepared.safetensors", "latency.json"
SHARED = (_PREPARED, _REFERENCE)


def store_prepared(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write what all candidates share."""
    write(folder / _PREPARED, save(dict(tensors)))


def load_prepared(folder: Path) -> Mapping[str, Tensor] | None:
    """Read what all candidates share, or None if it was never prepared; mapped, not copied."""
    path = folder / _PREPARED
    return _mapped(path, path.stat().st_mtime_ns) if path.exists() else None


def store_reference(folder: Path, seconds: float) -> None:
    """Write what the reference network takes here; see `evonas.latency`."""
    write_text(folder / _REFERENCE, json.dumps({"reference_seconds": seconds}) + "\n")


def load_reference(folder: Path) -> float | None:
    """Read what the reference network took when the search began, or None if nobody asked."""
    path = folder / _REFERENCE
    if not path.exists():
        return None
    row = rows.mapping(strict.read(path), str(path))
    return float(rows.field(row, "reference_seconds", rows.number, 0))


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved run file."""
    write(folder / "run.toml", tomli_w.dumps(config).encode())


@lru_cache(maxsize=2)
def _mapped(path: Path, _modified: int) -> Mapping[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise StoreError(f"{str(path)!r} holds no tensors: {error}") from None
