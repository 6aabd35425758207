"""Trained states on the disk, each under the hash of its content."""

import hashlib
from pathlib import Path

from evonas.errors import StoreError
from evonas.state import State
from evonas.store.files import write


def weights_path(folder: Path, digest: str) -> Path:
    """Return where the weights with this hash stand."""
    return folder / "weights" / f"{digest}.safetensors"


def store_state(folder: Path, state: State) -> str:
    """Write a state under the hash of its content, durably, and return the hash."""
    return store_bytes(folder, state.to_bytes())


def store_bytes(folder: Path, data: bytes) -> str:
    """Write what `State.to_bytes` returned, elsewhere perhaps, and return the hash."""
    digest = hashlib.sha256(data).hexdigest()
    path = weights_path(folder, digest)
    if not path.exists():
        write(path, data)
    return digest


def load_state(folder: Path, digest: str) -> State:
    """Read the state with this hash.

    Raises:
        StoreError: if it is not there.
    """
    path = weights_path(folder, digest)
    if not path.exists():
        raise StoreError(f"the weights {digest[:12]} are not in {str(path.parent)!r}")
    return State.from_file(path)
