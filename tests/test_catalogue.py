"""What `evonas plugins` and `evonas doctor` say."""

from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from evonas.catalogue import catalogue, entries
from evonas.contracts import CONTRACTS
from evonas.doctor import examine


def shown() -> str:
    console = Console(width=200, file=StringIO())
    console.print(catalogue())
    return cast("StringIO", console.file).getvalue()


def test_every_kind_is_listed_with_names_classes_and_sources() -> None:
    found = entries()
    assert {entry.kind for entry in found} >= CONTRACTS.keys()
    assert all(entry.about for entry in found if not entry.trouble)
    text = shown()
    assert "evonas.executors.serial:Serial" in text
    assert "https://arxiv.org/abs/1802.01548" in text


@pytest.mark.parametrize("kind", ["cohorts", "transfer", "aggregators", "samplers"])
def test_what_cohorts_are_made_of_is_listed_with_papers(kind: str) -> None:
    found = [entry for entry in entries() if entry.kind == kind]
    assert found
    assert [entry.name for entry in found if not (entry.about and entry.source)] == []


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed distribution whose plug-in cannot be imported."""
    folder = tmp_path / "stranger-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: stranger\nVersion: 1.0\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text(
        "[evonas.trainers]\nlost = stranger.nowhere:Lost\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "cannot import 'stranger.nowhere:Lost'"


def test_a_plug_in_that_cannot_be_imported_is_listed_with_the_reason(stranger: str) -> None:
    lost = next(entry for entry in entries() if entry.name == "lost")
    assert stranger in lost.trouble
    assert f"cannot be used: {stranger}" in shown()


@pytest.mark.usefixtures("workplace")
def test_doctor_finds_this_installation_healthy() -> None:
    lines, healthy = examine()
    assert healthy, "\n".join(lines)
    assert {line.split()[0] for line in lines} <= {"ok", "warn"}
    said = "\n".join(lines)
    for word in ("Python", "torch", "mlflow", "CPU cores", "memory", "free", "plug-ins"):
        assert word in said


@pytest.mark.usefixtures("workplace")
def test_doctor_warns_of_a_plug_in_that_cannot_be_imported(stranger: str) -> None:
    lines, healthy = examine()
    assert healthy
    assert any(line.startswith("warn  trainers/lost: ") and stranger in line for line in lines)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that root cannot write")
def test_doctor_fails_where_nothing_can_be_written(workplace: Path) -> None:
    (workplace / "runs").symlink_to("/proc")
    lines, healthy = examine()
    assert not healthy
    assert any(line.startswith("fail  cannot write to 'runs'") for line in lines)


@pytest.fixture
def outdated(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation with an old torch and without onnx."""
    versions = metadata.version

    def version(name: str) -> str:
        if name == "onnx":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "torch" else versions(name)

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.usefixtures("workplace", "outdated")
def test_doctor_says_what_is_too_old_or_missing_and_how_to_install_it() -> None:
    lines, healthy = examine()
    assert not healthy
    assert any(line.startswith("fail  torch 1.0, wanted <3,>=2.9") for line in lines)
    wanted = "warn  extra onnx: onnx missing; pip install 'evonas[onnx]'"
    assert wanted in lines
