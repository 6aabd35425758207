"""Trained states on the disk, each under the hash of its content."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError

from evonas.errors import StoreError
from evonas.state import State
from evonas.store.files import move, write

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def weights_path(folder: Path, digest: str) -> Path:
    """Return where the weights with this hash stand."""
    return folder / "weights" / f"{digest}.safetensors"


def store_state(folder: Path, state: State) -> str:
    """Write a state under the hash of its content, durably, and return the hash.

    Raises:
        StoreError: if it cannot be written.
    """
    return store_bytes(folder, state.to_bytes())


def store_bytes(folder: Path, data: bytes) -> str:
    """Write what `State.to_bytes` returned, elsewhere perhaps, and return the hash.

    Raises:
        StoreError: if it cannot be written.
    """
    digest = hashlib.sha256(data).hexdigest()
    path = weights_path(folder, digest)
    if not path.exists() or trouble_with(folder, digest):
        write(path, data)
    return digest


def load_state(folder: Path, digest: str) -> State:
    """Read the state with this hash.

    Raises:
        StoreError: if it is not there, or is not what was stored.
    """
    if trouble := trouble_with(folder, digest):
        raise StoreError(f"{trouble}; `evonas repair {folder} --retrain` makes them again")
    try:
        return State.from_file(weights_path(folder, digest))
    except (SafetensorError, OSError, ValueError) as error:
        raise StoreError(f"the weights {digest[:12]} are none: {error}") from None


def trouble_with(folder: Path, digest: str) -> str:
    """Say what is wrong with the weights of this hash, or nothing."""
    path = weights_path(folder, digest)
    if path.exists() and not path.is_file():
        return f"the weights {digest[:12]} are no file in {str(path.parent)!r}"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return f"the weights {digest[:12]} are not in {str(path.parent)!r}"
    except OSError as error:
        return f"the weights in {str(path)!r} cannot be read: {error.strerror}"
    return "" if found == digest else f"the weights in {str(path)!r} are damaged"


def set_weights_aside(folder: Path, digest: str) -> None:
    """Move damaged weights out of the way, to be looked at.

    Raises:
        StoreError: if they cannot be moved.
    """
    path = weights_path(folder, digest)
    if path.exists():
        move(path, path.parent / "damaged" / path.name)


def drop_unnamed(folder: Path) -> None:
    """Remove weights that nothing in the folder names; the caller holds its lock.

    A worker leaves them that dies after storing them, before its outcome is recorded. Lines that
    were set aside as damaged still name theirs. A linked folder may serve other runs, too.
    """
    if (folder / "weights").is_symlink():
        return
    named = set(
        _names(path for pattern in ("journal.*", "*.json*") for path in folder.glob(pattern))
    )
    for path in (folder / "weights").glob("*.safetensors"):
        if path.stem.encode() not in named and _DIGEST.fullmatch(path.stem.encode()):
            path.unlink(missing_ok=True)


def _names(paths: Iterable[Path]) -> Iterable[bytes]:
    """Return all hashes that stand in text files, line by line as journals grow large."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                yield from _DIGEST.findall(line)
