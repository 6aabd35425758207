"""The student follows the teacher as far as the weight says."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from evonas import seeds
from evonas.errors import ConfigError
from evonas.trainer import Context
from evonas_trainers.distillation.soft_targets import SoftTargets, divergence
from evonas_trainers.slots import Batch
from evonas_trainers.supervised import Supervised


def context(prepared: Mapping[str, Tensor]) -> Context:
    return Context(torch.device("cpu"), torch.float32, 0, prepared, None, lambda *_, **__: None)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of 150 vectors of three classes."""
    y = np.arange(150) % 3
    x = seeds.stream(0).normal(np.eye(3)[y], 0.2)
    path: Path = tmp_path_factory.mktemp("data") / "table.npz"
    np.savez(path, x=x, y=y)
    return str(path)


def test_divergence_is_zero_for_equal_probabilities() -> None:
    logits = torch.tensor([[1.0, 2.0, 4.0]])
    found = divergence(logits, torch.softmax(logits / 3, 1), 3.0).item()
    assert found == pytest.approx(0, abs=1e-6)


def test_divergence_is_the_batch_mean_times_the_square_of_the_temperature() -> None:
    soft = torch.tensor([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]])
    found = divergence(torch.zeros(2, 3), soft, 2.0).item()
    assert found == pytest.approx(4 * (np.log(3) - 1.5 * np.log(2)) / 2, rel=1e-5)


def loss(weight: float, share: float) -> float:
    """Return the loss of an undecided student; the two teacher rows are sure of two classes."""
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    distiller = SoftTargets(weight=weight, temperature=1.0).start(
        nn.Identity(), {"teacher_logits": logits}, torch.Generator()
    )
    rows = torch.tensor([0, 1])
    batch = Batch(torch.zeros(2, 1), torch.zeros(2, dtype=torch.long), rows, share)
    return distiller.loss(torch.zeros(2, 2), batch, torch.tensor(5.0), 0.0).item()


def test_the_teacher_is_weighed_against_the_labels() -> None:
    assert loss(weight=0.0, share=1.0) == pytest.approx(5)
    assert loss(weight=1.0, share=1.0) == pytest.approx(np.log(2), abs=0.01)
    assert loss(weight=0.5, share=1.0) == pytest.approx((5 + np.log(2)) / 2, abs=0.01)


def test_targets_are_mixed_as_the_inputs_are() -> None:
    assert loss(weight=1.0, share=0.5) == pytest.approx(0, abs=1e-3)


def test_a_student_without_labels_learns_what_the_teacher_says(table: str, tmp_path: Path) -> None:
    """The teacher calls class 1 what the labels call 0, and so on."""
    labels = torch.from_numpy(np.load(table)["y"])
    teacher = tmp_path / "teacher.safetensors"
    save_file({"logits": F.one_hot((labels + 1) % 3).float() * 20}, teacher)
    distillation = SoftTargets(teacher=str(teacher), weight=1.0)
    trainer = Supervised(data=table, epochs=10, batch_size=16, distillation=distillation)
    prepared = trainer.prepare(0)
    model = nn.Linear(3, 3)
    trainer.train(model, context(prepared))
    inputs = (prepared["valid_x"] - prepared["mean"]) / prepared["std"]
    agrees = model(inputs).argmax(1) == (prepared["valid_y"] + 1) % 3
    assert agrees.double().mean() > 0.9


def test_without_a_teacher_one_is_trained_and_always_the_same(table: str) -> None:
    trainer = Supervised(data=table, distillation=SoftTargets(teacher_epochs=10))
    prepared = trainer.prepare(0)
    logits, labels = prepared["teacher_logits"], prepared["train_y"]
    assert logits.shape == (len(labels), 3)
    assert (logits.argmax(1) == labels).double().mean() > 0.9
    assert torch.equal(logits, trainer.prepare(0)["teacher_logits"])


@pytest.mark.parametrize(
    "tensors",
    [
        {"other": torch.zeros(150, 3)},
        {"logits": torch.zeros(150, 4)},
        {"logits": torch.zeros(9, 3)},
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(
    table: str, tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    teacher = tmp_path / "teacher.safetensors"
    save_file(tensors, teacher)
    trainer = Supervised(data=table, distillation=SoftTargets(teacher=str(teacher)))
    with pytest.raises(ConfigError, match="logits"):
        trainer.prepare(0)


def test_a_missing_teacher_is_refused(table: str) -> None:
    trainer = Supervised(data=table, distillation=SoftTargets(teacher="nowhere"))
    with pytest.raises(ConfigError, match="'nowhere' is no safetensors file"):
        trainer.prepare(0)
