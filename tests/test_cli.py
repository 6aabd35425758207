"""The command line as a person uses it, on a tiny budget."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

RUN = """
births = 6
lookahead = 2
objectives = { error = "min", macs = "min" }
executor = "serial"
space = { name = "eena", stem = 4, width = 4, last = 8 }
controller = { name = "eena", population = 4, controls = 1 }
tracker = "none"
genes = { "optimizer.lr" = { low = 1e-3, high = 0.3, log = true } }
retrain = { epochs = 1 }

[trainer]
name = "supervised"
data = "digits"
train_samples = 200
epochs = 1

[final]
members = 2
schedule = "anneal"
"""


def evonas(folder: Path, *arguments: str, fails: bool = False) -> str:
    """Run the command; return what it says, which is one line and no traceback if it fails."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-m", "evonas", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    if not fails:
        return done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run in runs/tiny."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tiny.toml").write_text(RUN, encoding="utf-8")
    said = evonas(folder, "run", "tiny.toml")
    assert "best:" in said
    return folder


@pytest.mark.slow
def test_a_finished_run_is_there_and_stays_as_it_is(run: Path) -> None:
    journal = run / "runs" / "tiny" / "journal.jsonl"
    before = journal.read_bytes()
    assert (run / "runs" / "tiny" / "report.html").stat().st_size > 10_000
    evonas(run, "run", "tiny.toml", "--quiet")
    assert journal.read_bytes() == before


@pytest.mark.slow
def test_the_front_is_shown_within_limits(run: Path) -> None:
    shown = evonas(run, "front", "runs/tiny")
    assert "error" in shown
    assert "no candidate" in evonas(run, "export", "runs/tiny", "--limit", "macs=1", fails=True)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["graphml", "png"])
def test_the_lineage_is_written(run: Path, form: str) -> None:
    evonas(run, "lineage", "runs/tiny", "--format", form, "--to", f"tree.{form}")
    assert (run / f"tree.{form}").stat().st_size > 500


@pytest.mark.slow
def test_the_lineage_is_a_tree_from_the_seed(run: Path) -> None:
    tree = evonas(run, "lineage", "runs/tiny")
    assert "seed" in tree
    assert "final" in tree


@pytest.mark.slow
def test_a_standalone_model_is_exported(run: Path) -> None:
    evonas(run, "export", "runs/tiny", "--best", "--format", "python", "--to", "winner.py")
    assert "import torch" in (run / "winner.py").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_view_of_a_candidate_without_a_cohort_is_refused(run: Path) -> None:
    said = evonas(run, "export", "runs/tiny", "--view", "shallow", fails=True)
    assert said == "evonas: unknown view 'shallow' (known: none)\n"


@pytest.mark.slow
def test_a_candidate_is_replayed_bit_for_bit(run: Path) -> None:
    assert "bit for bit" in evonas(run, "replay", "runs/tiny", "--id", "3")


@pytest.mark.slow
def test_the_report_judges_the_test_data_when_asked(run: Path) -> None:
    evonas(run, "report", "runs/tiny", "--test")
    results = json.loads((run / "runs" / "tiny" / "test.json").read_text(encoding="utf-8"))
    assert set(results) == {"inherited", "from scratch"}


BAD: Sequence[tuple[str, str]] = [
    ("trainer.epoch=3", "did you mean 'epochs'"),
    ("trainer.epochs=two", "trainer.epochs is 'two', should be a valid integer"),
    ("trainer.data=digit", "did you mean 'digits'"),
    ("trainer.data=gone.npz", "no data at 'gone.npz'"),
    ("trainer.data=empty.npz", "empty"),
    ("trainer.data=nan.npz", "nan"),
    ("trainer.data=labels.npz", "label"),
    ("trainer.data=shapes.npz", "shape"),
    ("objectives.eror=min", "did you mean 'error'"),
    ("objectives.error=least", 'should be "min" or "max"'),
    ("limits.params=3", "did you mean 'parameters'"),
    ("limits.parameters=10", "the seed network is too large"),
    ("controller=ena", "did you mean 'eena'"),
    ("space=nowhere:Space", "nowhere"),
    ("births=-1", "births is -1"),
    ("birth=3", "did you mean 'births'"),
    ("genes.lr.low=1", "lr"),
    ("executor.name=slurm", "unknown executor 'slurm'"),
]


@pytest.fixture(scope="module")
def bad_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run file and data that cannot be used."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "tiny.toml").write_text(RUN, encoding="utf-8")
    x, y = np.ones((40, 1, 8, 8), np.float32), np.arange(40) % 2
    np.savez(folder / "empty.npz", x=x[:0], y=y[:0])
    np.savez(folder / "nan.npz", x=x * np.nan, y=y)
    np.savez(folder / "labels.npz", x=x, y=y - 1)
    np.savez(folder / "shapes.npz", x=x, y=y[:30])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "hint"), BAD, ids=[setting for setting, _ in BAD])
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(
    bad_data: Path, setting: str, hint: str
) -> None:
    said = evonas(bad_data, "run", "tiny.toml", "--set", setting, fails=True)
    assert hint.lower() in said.lower()
    assert len(said.strip().splitlines()) == 1, said
    assert not (bad_data / "runs").exists() or not list((bad_data / "runs").iterdir())


def test_help_answers_without_torch(tmp_path: Path) -> None:
    code = "import sys, evonas.cli; print([m for m in ('torch', 'mlflow') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
    assert "--set" in evonas(tmp_path, "run", "--help")
