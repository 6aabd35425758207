"""Trained states on the disk, each under the hash of its content."""

import hashlib
from pathlib import Path

from safetensors import SafetensorError

from evonas.errors import StoreError
from evonas.state import State
from evonas.store.files import write


def weights_path(folder: Path, digest: str) -> Path:
    """Return where the weights with this hash stand."""
    return folder / "weights" / f"{digest}.safetensors"


def store_state(folder: Path, state: State) -> str:
    """Write a state under the hash of its content, durably, and return the hash."""
    data = state.to_bytes()
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
    if not path.is_file():
        raise StoreError(f"the weights {digest[:12]} are not in {str(path.parent)!r}")
    try:
        return State.from_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise StoreError(f"{str(path)!r} holds no weights: {error}") from None
