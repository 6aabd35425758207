"""Whatever is handed out computes what the searched model computes, or is not handed out."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import pytest
import torch
from torch import nn

from evonas.errors import ConfigError, ExportError
from evonas.export import FORMATS, Winner, export, load
from evonas.export.handover import hand_out
from evonas.export.interchange import require
from evonas.export.weights import Safetensors
from evonas.export.winner import Batches, Format
from evonas.genome import Genome
from evonas.networks import Signatures

Candidate = tuple[nn.Module, Genome, Signatures]
ABOUT = {"search": 'x """\\ y', "error": "0.02"}


@final
@dataclass(frozen=True)
class SlightlyWrong(Format):
    """Safetensors of a model in which one weight is off by a little."""

    suffix: ClassVar[str] = ".safetensors"
    error: float = 1e-2

    def write(self, winner: Winner, to: Path) -> None:
        wrong = Winner.of(winner.model, winner.genome, winner.signatures, winner.about)
        list(wrong.model.parameters())[-1].data[0] += self.error
        Safetensors().write(wrong, to)

    def read_back(self, winner: Winner, written: Path, inputs: Batches) -> Batches:
        return Safetensors().read_back(winner, written, inputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("kind", ["picture", "policy"])
def test_every_format_comes_back_equal(
    name: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model, genome, signatures = request.getfixturevalue(kind)
    to = tmp_path / "runs" / f"winner{FORMATS[name].suffix}"
    files = export(Winner.of(model, genome, signatures, ABOUT), to)
    assert files
    assert sorted(to.parent.iterdir()) == list(files)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["safetensors", "torch", "onnx"])
def test_a_model_that_is_no_layer_graph_is_exported_too(
    name: str, plugin: Candidate, tmp_path: Path
) -> None:
    to = tmp_path / f"winner{FORMATS[name].suffix}"
    assert export(Winner.of(*plugin, {}), to) == (to,)


def test_a_model_that_is_no_layer_graph_has_no_source(plugin: Candidate, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is none"):
        export(Winner.of(*plugin, {}), tmp_path / "model.py")
    assert not list(tmp_path.iterdir())


def test_a_wrong_export_is_caught_and_leaves_the_earlier_file(
    picture: Candidate, tmp_path: Path
) -> None:
    to = tmp_path / "winner.safetensors"
    to.write_text("earlier")
    with pytest.raises(ExportError, match="computes something else"):
        hand_out(Winner.of(*picture, {}), SlightlyWrong(), to)
    assert to.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [to]


def test_a_model_that_is_not_finite_is_not_handed_out(picture: Candidate, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="differ by nan"):
        hand_out(
            Winner.of(*picture, {}), SlightlyWrong(error=float("nan")), tmp_path / "x.safetensors"
        )


def test_a_difference_within_the_tolerance_is_none(picture: Candidate, tmp_path: Path) -> None:
    to = tmp_path / "winner.safetensors"
    assert hand_out(Winner.of(*picture, {}), SlightlyWrong(error=1e-6), to) == (to,)


def test_safetensors_alone_builds_the_model(picture: Candidate, tmp_path: Path) -> None:
    model, genome, signatures = picture
    (written,) = export(Winner.of(model, genome, signatures, {}), tmp_path / "winner.safetensors")
    batch = torch.rand(3, 2, 9, 9)
    expected = Winner.of(model, genome, signatures, {}).model(batch)
    torch.testing.assert_close(load(written)(batch), expected, rtol=0, atol=0)


def test_double_precision_survives(picture: Candidate, tmp_path: Path) -> None:
    model, genome, signatures = picture
    twice = Winner.of(model, genome, signatures, {}).model.double()
    (written,) = export(Winner.of(twice, genome, signatures, {}), tmp_path / "winner.safetensors")
    assert {parameter.dtype for parameter in load(written).parameters()} == {torch.float64}


def test_the_exported_model_is_left_as_it_was(picture: Candidate, tmp_path: Path) -> None:
    model, genome, signatures = picture
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    export(Winner.of(model.train(), genome, signatures, {}), tmp_path / "winner.safetensors")
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_file_without_a_graph_cannot_be_built(plugin: Candidate, tmp_path: Path) -> None:
    (written,) = export(Winner.of(*plugin, {}), tmp_path / "winner.safetensors")
    with pytest.raises(ExportError, match="weights alone"):
        load(written)


@pytest.mark.parametrize(
    ("to", "name", "message"),
    [
        ("x.bin", None, "known endings"),
        ("x.bin", "torch", "ends in '.pt2'"),
        ("x.onnx", "onx", "did you mean 'onnx'"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_written(
    to: str, name: str | None, message: str, plugin: Candidate, tmp_path: Path
) -> None:
    with pytest.raises((ExportError, ConfigError), match=message):
        export(Winner.of(*plugin, {}), tmp_path / to, name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(plugin: Candidate, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot write"):
        export(Winner.of(*plugin, {}), tmp_path / "file" / "winner.safetensors")


def test_a_missing_extra_is_named_with_its_command() -> None:
    with pytest.raises(ExportError, match=r"no_such_module; install with: .*'evonas\[onnx\]'"):
        require("onnx", ["json", "no_such_module"])
