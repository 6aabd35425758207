"""Files that are on the disk whole or not at all, and what to say when they cannot be."""

import errno
import os
import re
from contextlib import suppress
from pathlib import Path

import psutil

from evonas.errors import StoreError

_DRAFT = re.compile(r"\..+\.[0-9]{1,9}")
_REMEDIES = {
    errno.EIO: "mend the disk",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "make room",
    errno.EROFS: "mount it writable",
    errno.EACCES: "let this user write there",
    errno.EPERM: "let this user write there",
}


def write(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Raises:
        StoreError: if it cannot be written; what was there before is there still.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            sync_folder(path.parent)
        finally:
            with suppress(OSError):  # it is not there, or what raised above is the news
                draft.unlink()
    except OSError as error:
        raise cannot_write(path, error) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        StoreError: if it cannot be written.
    """
    write(path, text.encode())


def move(path: Path, to: Path) -> Path:
    """Move a file within a run's folder; return where it is now.

    Raises:
        StoreError: if it cannot be moved.
    """
    try:
        to.parent.mkdir(exist_ok=True)
        return path.replace(to)
    except OSError as error:
        raise cannot_write(to, error) from error


def sweep(folder: Path) -> None:
    """Remove the drafts that dead processes have left in a run's folder; the caller holds it."""
    for draft in (*folder.glob(".*.*"), *(folder / "weights").glob(".*.*")):
        if _DRAFT.fullmatch(draft.name) and not _is_another(int(draft.suffix[1:])):
            draft.unlink(missing_ok=True)


def _is_another(process: int) -> bool:
    """Return whether a process lives that is not this one."""
    return process != os.getpid() and psutil.pid_exists(process)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlast a power cut, where the system lets folders be synced."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # how file systems say that they have no such thing
            raise
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError, kept: str = "what is recorded is kept") -> StoreError:
    """Return the error to raise where the disk refuses a write.

    Args:
        path: Of the file or folder.
        error: What the system says.
        kept: What is safe, in words.
    """
    said = f"cannot write to {str(path)!r}: {(error.strerror or str(error)).lower()}"
    remedy = _REMEDIES.get(error.errno or 0)
    return StoreError(f"{said}; {kept}; {remedy} and run the same command" if remedy else said)
