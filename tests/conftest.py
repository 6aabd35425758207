"""What every test needs: one thread, no telemetry, no display, the examples on the path."""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MPLBACKEND", "Agg")
torch.set_num_threads(1)

# Searches are signed with a key of their user, which a test has no business with.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="evonas-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# A shell starts what runs in its background deaf to interrupts, which tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs an accelerator where there is none."""
    if torch.accelerator.is_available():
        return
    skip = pytest.mark.skip(reason="this machine has no accelerator")
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(skip)


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `examples`, importable as a user who works in the repository has it."""
    monkeypatch.syspath_prepend(str(ROOT))
    return ROOT / "examples"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; runs go below it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
