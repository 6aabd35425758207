"""How a run's files travel to the nodes and back: through Ray's object store, by content.

The object store holds a file once on every node, however many slots read it there.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import ray

from evonas.store import weights_path

_SENT_BYTES = 2**30
"""How much of what was sent is held, in case that another candidate wants it."""

_KEPT_WEIGHTS = 64
"""How many files of weights a slot's copy of the folder holds beyond those in use."""


@final
@dataclass(frozen=True)
class Parcel:
    """A file under way.

    Attributes:
        digest: SHA-256 of its content.
        size: In bytes.
        content: The one reference to it; in a tuple, so that Ray hands over the reference and not
            what it refers to.
    """

    digest: str
    size: int
    content: "tuple[ray.ObjectRef[bytes]]"


Parcels = Mapping[str, Parcel]
"""Files by their paths in the run's folder."""


@final
class Dispatch:
    """The driver's end: every version of a file is put into the object store once."""

    def __init__(self, limit: int = _SENT_BYTES) -> None:
        self._limit = limit
        self._sent: OrderedDict[tuple[str, int], Parcel] = OrderedDict()

    def parcels(self, files: Mapping[str, Path]) -> Parcels:
        """Return parcels of these files; those sent before are not read again."""
        parcels = {name: self._parcel(name, path) for name, path in files.items()}
        while len(self._sent) > 1 and self._held > self._limit:
            self._sent.popitem(last=False)
        return parcels

    @property
    def _held(self) -> int:
        return sum(parcel.size for parcel in self._sent.values())

    def _parcel(self, name: str, path: Path) -> Parcel:
        version = (name, path.stat().st_mtime_ns)
        if version not in self._sent:
            data = path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            self._sent[version] = Parcel(digest, len(data), (ray.put(data),))
        self._sent.move_to_end(version)
        return self._sent[version]


@final
class Copy:
    """A slot's end: a folder with those of the run's files that its candidates read."""

    def __init__(self, folder: Path, kept: int = _KEPT_WEIGHTS) -> None:
        self._folder = folder
        self._kept = kept
        self._here: OrderedDict[str, str] = OrderedDict()
        (folder / "weights").mkdir()

    def take(self, parcels: Parcels) -> None:
        """Fetch what is not here; let the weights go that were not wanted for longest."""
        for name, parcel in parcels.items():
            if self._here.get(name) != parcel.digest:
                (self._folder / name).write_bytes(ray.get(parcel.content[0]))
            self._note(name, parcel.digest)
        weights = [name for name in self._here if Path(name).parent.name == "weights"]
        for name in weights[: max(0, len(weights) - self._kept)]:
            if name not in parcels:
                (self._folder / name).unlink(missing_ok=True)
                del self._here[name]

    def weights(self, digest: str) -> bytes:
        """Return the weights that a candidate has stored, which may be a later one's parents'."""
        path = weights_path(self._folder, digest)
        self._note(str(path.relative_to(self._folder)), digest)
        return path.read_bytes()

    def _note(self, name: str, digest: str) -> None:
        self._here[name] = digest
        self._here.move_to_end(name)
