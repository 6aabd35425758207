"""Where a pool's workers keep temporary files, gone with them however the pool and they went."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import final

_PREFIX = "evonas-"
_LOCK = "lock"


@final
class Scratch:
    """A folder of folders, locked as long as the process that made it lives.

    Making one removes those whose makers are dead; one without a lock is somebody else's. A lock
    tells these apart on machines that share a disk and in containers, where the number of a process
    says nothing.
    """

    def __init__(self) -> None:
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):  # another's, or removed by another meanwhile
                _remove_if_left(folder)
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        draft = self._folder / f"{_LOCK}.new"
        self._lock = os.open(draft, os.O_CREAT | os.O_RDWR, 0o600)
        _ = _locks(self._lock)
        draft.rename(self._folder / _LOCK)  # a lock that others see is held

    def folder(self) -> Path:
        """Make a folder for one worker."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def close(self) -> None:
        """Remove everything; may be called twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
            remove(self._folder)


def remove(folder: Path) -> None:
    """Remove a folder as far as that can be done; what cannot goes with a later sweep."""
    shutil.rmtree(folder, ignore_errors=True)


def _remove_if_left(folder: Path) -> None:
    with _opened(folder / _LOCK) as lock:
        if _locks(lock):
            remove(folder)


@contextlib.contextmanager
def _opened(path: Path) -> Generator[int]:
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        yield file
    finally:
        os.close(file)


def _locks(file: int) -> bool:
    """Lock a file if nobody has; where the disk has no such locks, nothing is ever locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
