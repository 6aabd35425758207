"""Whose a run folder is: one of somebody else's may neither run code here nor write elsewhere.

A run file may name code as `module:attribute`, and opening its folder imports that. So a search
signs the run file in its folder, by HMAC-SHA256 with a key that this user alone can read, and what
is not signed by it is opened only if it names no code, or if the user says that it is trusted.
Whoever has sent a folder back may have changed all but the run file: what the journal and the
teachers name must come from packages that the run file names, or that plug-ins are installed from.
"""

import hmac
import math
import os
import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from evonas.errors import ConfigError, EvonasError, StoreError
from evonas.genome import Birth, Genome, LayerGraph
from evonas.plugins import CODE
from evonas.store import CONFIG, read_config, write_text

SIGNATURE = "run.signature"
MAX_ELEMENTS = 2**26
"""Of what a layer computes of one sample; 64 maps of 1024 x 1024."""

_KEY_BYTES = 32


def sign(folder: Path) -> None:
    """Sign the run file of a folder, if this user can keep a key.

    Raises:
        StoreError: if the signature cannot be written.
    """
    key = _key()
    if key is not None:
        write_text(folder / SIGNATURE, _signature(folder, key) + "\n")


def is_signed(folder: Path) -> bool:
    """Return whether a search of this user has made a folder's run file as it is."""
    try:
        given = (folder / SIGNATURE).read_bytes()[:100].strip()
        key = _key()
        return key is not None and hmac.compare_digest(given, _signature(folder, key).encode())
    except OSError:
        return False


def trusted(folder: Path) -> bool:
    """Return whether a folder is the user's own; if not, check that opening it is harmless.

    Raises:
        ConfigError: if it names code.
        StoreError: if it holds links or devices, or no run file.
    """
    check_files(folder)
    if is_signed(folder):
        return True
    check_run_file(folder, read_config(folder))
    return False


@contextmanager
def blaming(folder: Path, is_trusted: bool) -> Generator[None]:
    """Say of whatever goes wrong with a folder of somebody else's that it is the folder's fault.

    Where the folder is the user's own an exception stays what it is: a bug, with its traceback.

    Raises:
        StoreError: in the place of any other exception.
    """
    try:
        yield
    except EvonasError:
        raise
    except Exception as error:
        if is_trusted:
            raise
        reason = f"{type(error).__name__}: {ascii(str(error))[1:-1]}"[:200]
        raise StoreError(f"{str(folder)!r} cannot be used: {reason}") from error


def check_trusted(folder: Path, is_trusted: bool, why: str) -> None:
    """Check that a folder may do more than be looked at.

    Raises:
        ConfigError: if it is somebody else's, saying why that matters.
    """
    if not is_trusted:
        raise ConfigError(
            f"{str(folder)!r} is not signed by a search of yours, and {why}; look at its run.toml,"
            " then give --trust"
        )


def check_files(folder: Path) -> None:
    """Check that what a folder holds are files and folders: neither links nor devices.

    A file may else be written, or emptied, wherever a link leads; only `weights` may be elsewhere.

    Raises:
        StoreError: naming what is none.
    """
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            follows = entry.name == "weights"
            if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=follows)):
                raise StoreError(
                    f"{entry.name!a} in {str(folder)!r} is a link or a device, should be a"
                    " file; put the file itself there"
                )


def check_run_file(folder: Path, table: Mapping[str, Any]) -> None:
    """Check that a run file names no code but installed plug-ins.

    Raises:
        ConfigError: naming the code.
    """
    named = set(_code(table))
    if found := sorted(named - _plugins()) if named else []:
        shown = ", ".join(ascii(name)[:80] for name in found[:8])
        raise ConfigError(
            f"{str(folder)!r} is not signed by a search of yours, and its run file names code:"
            f" {shown}; it would be run: look at it, then give --trust"
        )


def check_births(births: Iterable[Birth], table: Mapping[str, Any]) -> None:
    """Check that genomes name no code from other packages than the run file or plug-ins do.

    Raises:
        StoreError: naming the code.
    """
    known = {_package(name) for name in _code(table)}
    for number, birth in enumerate(births):
        for name in _specs(birth.genome):
            if _package(name) not in known:
                known |= {_package(place) for place in _plugins()}
            if _package(name) not in known:
                raise StoreError(
                    f"candidate {number} names the code {ascii(name)[:80]}, which is of no package"
                    " that the run file names or that a plug-in is installed from"
                )


def check_extent(graphs: Mapping[str, LayerGraph]) -> None:
    """Check that networks compute nothing that is too large to be tried out.

    Raises:
        StoreError: naming the layer that does.
    """
    for graph in graphs.values():
        for layer, shape in graph.shapes.items():
            if math.prod(shape) > MAX_ELEMENTS:
                raise StoreError(
                    f"layer {layer!r} makes {shape} of one sample, more than {MAX_ELEMENTS} numbers"
                )


def _specs(genome: Genome) -> Iterator[str]:
    """Yield the code that a genome names: in a setting, or as `name` or `value` elsewhere.

    Other strings of this form are ends of cohorts: `teacher:logits`.
    """
    yield from _code(genome.settings)
    parts: list[object] = [genome.chromosomes, *(edit.args for edit in genome.edits)]
    while parts:
        match parts.pop():
            case dict() as table:
                yield from _code([table[key] for key in ("name", "value") if key in table])
                parts.extend(one for one in table.values() if isinstance(one, dict | list))
            case list() as row:
                parts.extend(one for one in row if isinstance(one, dict | list))
            case _:
                pass


def _code(value: object) -> Iterator[str]:
    """Yield all strings that would name code, keys included."""
    match value:
        case str() if CODE.fullmatch(value):
            yield value
        case Mapping():
            for pair in value.items():
                yield from _code(list(pair))
        case list() | tuple():
            for one in value:
                yield from _code(one)
        case _:
            pass


def _package(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]


def _plugins() -> set[str]:
    """Return where the installed plug-ins are; asking group by group takes a second."""
    points = (point for installed in distributions() for point in installed.entry_points)
    return {point.value for point in points if point.group.startswith("evonas.")}


def _signature(folder: Path, key: bytes) -> str:
    return hmac.new(key, (folder / CONFIG).read_bytes(), "sha256").hexdigest()


def _key() -> bytes | None:
    """Return this user's key, made when it is first asked for, or None if it cannot be kept."""
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        path = Path(state) / "evonas" / "key"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_name(f".key.{secrets.token_hex(8)}")
            with os.fdopen(
                os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as new:
                new.write(secrets.token_bytes(_KEY_BYTES))
            with suppress(FileExistsError):  # another process was first
                os.link(draft, path)
            draft.unlink()
        key = path.read_bytes()
    except (OSError, RuntimeError):
        return None
    return key if len(key) == _KEY_BYTES else None
