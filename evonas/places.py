"""Where runs are."""

from pathlib import Path

from evonas import store
from evonas.errors import ConfigError
from evonas.trust import check_files


def default_folder(name: str) -> Path:
    """Return where a run goes unless it is told otherwise."""
    return Path("runs") / name


def folder_of(path: Path | str) -> Path:
    """Return the run folder that a path names: itself, or the folder of a run file.

    Raises:
        ConfigError: if there is no run.
    """
    path = Path(path)
    folder = default_folder(path.stem) if path.suffix == ".toml" else path
    check_files(folder)
    if not (folder / store.JOURNAL).exists():
        raise ConfigError(f"there is no run in {str(folder)!r}; `evonas run FILE.toml` makes one")
    return folder
