"""One process at a time holds a run's folder."""

import fcntl
import os
import shlex
import socket
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from io import FileIO
from pathlib import Path

from evonas.errors import StoreError
from evonas.store.files import cannot_write

_LONGEST = 500


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold a run's folder until the block is left, or this process ends in whatever way.

    The file says who holds it; what a dead process has left there holds nothing.

    Raises:
        StoreError: if another process holds it, the disk refuses, or its file system has no locks.
    """
    path = folder / "lock"
    with ExitStack() as leaving:
        try:
            _take(leaving.enter_context(path.open("a+b", buffering=0)), folder)
        except OSError as error:
            raise cannot_write(path, error) from error
        yield


def _take(file: FileIO, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(f"{str(folder)!r} is in use by {_holder(file)}; wait or stop it") from None
    except OSError as error:
        raise StoreError(
            f"the file system of {str(folder)!r} has no locks ({error.strerror}), so two searches "
            "could write to one journal; put the run on a local disk, or mount this one with locks"
        ) from error
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    command = shlex.join(sys.argv)[:_LONGEST]
    file.truncate(0)
    holder = f"process {os.getpid()} on {socket.gethostname()} since {since}: {command}\n"
    file.write(holder.encode(errors="replace"))


def _holder(file: FileIO) -> str:
    file.seek(0)
    line = file.readline(2 * _LONGEST).decode(errors="replace").strip()
    return "".join(one if one.isprintable() else "?" for one in line) or "another process"
