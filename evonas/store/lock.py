"""One process at a time holds a run's folder."""

import fcntl
import os
import shlex
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from evonas.errors import StoreError

_LONGEST = 500


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold a run's folder until the block is left, or this process ends in whatever way.

    The file says who holds it; what a dead process has left there holds nothing.

    Raises:
        StoreError: if another process holds it, or the file system has no locks.
    """
    with (folder / "lock").open("a+", encoding="utf-8", errors="replace") as file:
        _take(file, folder)
        yield


def _take(file: TextIO, folder: Path) -> None:
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
    file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}: {command}\n")
    file.flush()


def _holder(file: TextIO) -> str:
    file.seek(0)
    line = file.readline(2 * _LONGEST).strip()
    return "".join(one if one.isprintable() else "?" for one in line) or "another process"
