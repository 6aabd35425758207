"""The contract of the slots, and how the loop calls them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas import plugins, seeds
from evonas.trainer import Context
from evonas_trainers.curriculum.easy_to_hard import EasyToHard
from evonas_trainers.distillation.soft_targets import SoftTargets
from evonas_trainers.pruning.soft import Soft
from evonas_trainers.slots import Criterion, Curriculum, Distillation, Pruner, Pruning, cut
from evonas_trainers.supervised import Supervised


def context(prepared: Mapping[str, Tensor]) -> Context:
    return Context(torch.device("cpu"), torch.float32, 0, prepared, None, lambda *_, **__: None)


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(1, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU(), nn.Flatten(),
            nn.Linear(360, 3),
        )  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of 150 noisy pictures of three classes."""
    rng = seeds.stream(0, "pictures")
    y = np.arange(150) % 3
    x = rng.normal(0, 0.5, (150, 6, 6))
    for sample, label in zip(x, y, strict=True):
        sample[2 * label : 2 * label + 2] += 2
    path: Path = tmp_path_factory.mktemp("data") / "pictures.npz"
    np.savez(path, x=x, y=y)
    return str(path)


def test_batches_differ_by_one_sample_at_most() -> None:
    assert [len(batch) for batch in cut(torch.arange(130), 64)] == [44, 43, 43]


@pytest.mark.parametrize(
    ("contract", "name", "expected"),
    [
        (Pruning, "soft", Soft),
        (Distillation, "soft-targets", SoftTargets),
        (Curriculum, "easy-to-hard", EasyToHard),
    ],
)
def test_tenants_are_found_by_name(contract: type, name: str, expected: type) -> None:
    assert plugins.load(contract, name) is expected


def test_slots_are_made_from_tables() -> None:
    table = {
        "data": "digits",
        "optimizer": {"lr": 0.1},
        "curriculum": "easy-to-hard",
    }
    trainer = plugins.from_table(Supervised, table, "trainer")
    assert trainer.curriculum == EasyToHard()
    assert trainer.optimizer.lr == 0.1


@final
@dataclass(frozen=True)
class _TwoPaths(Pruning):
    """Trains a second head on the first one's outputs, to try the contract's harder half."""

    paper: ClassVar[str] = "none"
    calls: list[str]

    def start(self, model: nn.Module, generator: torch.Generator) -> Pruner:
        del generator
        return _TwoPathPruner(self.calls, model)


@final
class _TwoPathPruner(Pruner):
    def __init__(self, calls: list[str], model: nn.Module) -> None:
        self.head = nn.Linear(3, 3)
        self.companion = nn.ModuleList([self.head])
        self.start = self.head.weight.detach().clone()
        self.calls, self.model = calls, model

    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:
        self.calls.append("loss")
        outputs = self.model(inputs)
        return criterion(outputs) + criterion(self.head(outputs))

    def before_step(self, optimizer: Optimizer, progress: float) -> None:
        assert self.head.weight.grad is not None
        self.calls.append("before")

    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        self.calls.append("after")

    def finish(self, optimizer: Optimizer) -> None:
        assert not torch.equal(self.head.weight, self.start)
        self.calls.append("finish")


def test_a_pruner_may_run_two_paths_and_train_a_companion(pictures: str) -> None:
    calls: list[str] = []
    trainer = Supervised(data=pictures, epochs=1, batch_size=1000, pruning=_TwoPaths(calls))
    trained = trainer.train(network(), context(trainer.prepare(0)))
    assert calls == ["loss", "before", "after", "finish"]
    assert trained.state is not None
    assert trained.state.tensors.keys() == network().state_dict().keys()


def test_a_distillation_and_a_curriculum_work_together(pictures: str) -> None:
    trainer = Supervised(
        data=pictures,
        epochs=6,
        batch_size=16,
        distillation=SoftTargets(teacher_epochs=5),
        curriculum=EasyToHard(scoring_epochs=3),
    )
    model = network()
    trained = trainer.train(model, context(trainer.prepare(0)))
    assert trained.metrics["error"] < 0.2
