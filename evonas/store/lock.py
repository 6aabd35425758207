"""One process at a time holds a run's folder."""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from evonas.errors import StoreError


def take(lock: TextIO, folder: Path) -> None:
    """Lock the file until it is closed, however this process ends; write into it who holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "?"
        raise StoreError(
            f"{str(folder)!r} is in use by process {holder}; wait or stop it"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
