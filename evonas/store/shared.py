"""What all candidates of a run share, and the question it answers."""

import hashlib
import tomllib
import zlib
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
from evonas.store.files import move, write
from evonas.store.lines import decode, encode

CONFIG, PREPARED, REFERENCE = "run.toml", "prepared.safetensors", "latency.json"
SHARED = (PREPARED, REFERENCE)
PREPARED_HASH = "prepared.json"
MAX_CONFIG = 2**20
_SEAL = "# crc32 of the lines above: "


def store_prepared(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write what all candidates share, after its hash.

    Raises:
        StoreError: if these are not the tensors that the search began with, or the disk is full.
    """
    data = save(dict(tensors))
    row = {"sha256": hashlib.sha256(data).hexdigest()}
    if (read_object(folder / PREPARED_HASH) or row) != row:
        raise StoreError(
            f"the trainer prepares other data than {str(folder)!r} began with; give it the same "
            f"data set, or remove {PREPARED_HASH!r} from there to go on with the new one"
        )
    write_object(folder / PREPARED_HASH, row)
    write(folder / PREPARED, data)


def load_prepared(folder: Path) -> Mapping[str, Tensor] | None:
    """Read what all candidates share, or None if it was never prepared; mapped, not copied.

    Raises:
        StoreError: if it cannot be read. Its hash is left to `check_prepared`, once a search.
    """
    path = folder / PREPARED
    try:
        return _mapped(path, path.stat().st_mtime_ns) if path.exists() else None
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error


def check_prepared(folder: Path) -> None:
    """Compare what all candidates share, if it is there, with its hash.

    Raises:
        StoreError: if it is not what was stored.
    """
    path = folder / PREPARED
    row = read_object(folder / PREPARED_HASH)
    if row is not None and path.exists():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if row != {"sha256": found}:
            raise _damaged(path)


def store_reference(folder: Path, seconds: float) -> None:
    """Write what the reference network takes here; see `evonas.latency`."""
    write_object(folder / REFERENCE, {"reference_seconds": seconds})


def load_reference(folder: Path) -> float | None:
    """Read what the reference network took when the search began, or None if nobody asked.

    Raises:
        StoreError: if the file is damaged.
    """
    row = read_object(folder / REFERENCE)
    return None if row is None else float(rows.field(row, "reference_seconds", rows.number, 0))


def write_object(path: Path, row: Mapping[str, Any]) -> None:
    """Write a JSON object as one line with its checksum, as in the journal."""
    write(path, encode(row))


def read_object(path: Path) -> Mapping[str, Any] | None:
    """Read what `write_object` wrote, or None if there is no such file.

    Raises:
        StoreError: if the file is damaged.
    """
    if not path.exists():
        return None
    with path.open("rb") as file:
        row = decode(file.read(strict.MAX_BYTES + 1))
    if row is None:
        raise _damaged(path)
    return row


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved run file; its last line, a comment, is a checksum."""
    text = tomli_w.dumps(config).encode()
    write(folder / CONFIG, text + f"{_SEAL}{zlib.crc32(text):08x}\n".encode())


def read_config(folder: Path) -> Mapping[str, Any]:
    """Read the resolved run file.

    Raises:
        StoreError: if it is not there, or not what was written.
    """
    path = folder / CONFIG
    if not path.exists():
        raise StoreError(f"{str(path)!r} is missing; the search writes it again")
    with path.open("rb") as file:
        text, mark, seal = file.read(MAX_CONFIG + 1).rpartition(_SEAL.encode())
    if not mark or seal != f"{zlib.crc32(text):08x}\n".encode():
        raise _damaged(path)
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        raise _damaged(path) from None


def set_aside(path: Path) -> Path:
    """Move a damaged file out of the way, to be looked at; return where it is now.

    Raises:
        StoreError: if it cannot be moved.
    """
    return move(path, path.with_name(f"{path.name}.damaged"))


def _damaged(path: Path) -> StoreError:
    return StoreError(
        f"{str(path)!r} is not what was stored; `evonas repair {path.parent}` sets it aside, and "
        "the search makes it again"
    )


@lru_cache(maxsize=2)
def _mapped(path: Path, _modified: int) -> Mapping[str, Tensor]:
    return load_file(path)
