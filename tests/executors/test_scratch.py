import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from evonas.executors.scratch import Scratch


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_by_the_dead(home: Path) -> Path:
    """Return the folder of a process that ended without removing it."""
    script = "import os; from evonas.executors.scratch import Scratch\n"
    script += "s = Scratch(); (s.folder() / 'left').touch(); os._exit(0)"
    environment = {**os.environ, "TMPDIR": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    (folder,) = home.iterdir()
    return folder


def test_closing_removes_every_folder_and_may_be_repeated(home: Path) -> None:
    scratch = Scratch()
    (scratch.folder() / "file").touch()
    scratch.close()
    scratch.close()
    assert list(home.iterdir()) == []


def test_each_worker_has_a_folder_of_its_own() -> None:
    scratch = Scratch()
    assert scratch.folder() != scratch.folder()
    scratch.close()


@pytest.mark.slow
def test_what_the_dead_have_left_is_swept(home: Path) -> None:
    assert left_by_the_dead(home).exists()
    Scratch().close()
    assert list(home.iterdir()) == []


def test_what_the_living_use_is_not_swept(home: Path) -> None:
    living = Scratch()
    (folder,) = home.iterdir()
    Scratch().close()
    assert folder.exists()
    living.close()


def test_what_is_being_made_is_not_swept(home: Path) -> None:
    fresh = home / "evonas-fresh"
    fresh.mkdir()
    (fresh / "lock.new").touch()
    Scratch().close()
    assert fresh.exists()


def test_nothing_behind_a_link_is_swept(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    precious = tmp_path_factory.mktemp("precious")
    (precious / "lock").touch()
    link = home / "evonas-link"
    link.symlink_to(precious)
    Scratch().close()
    assert (precious / "lock").exists()
