"""The contract of the slots, and how the loop calls them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas import plugins, seeds
from evonas.genome.schedule import Schedule
from evonas.pruning_plan import PlannedGroup, PruningPlan
from evonas.state import State
from evonas.trainer import Context
from evonas_trainers.curriculum.easy_to_hard import EasyToHard
from evonas_trainers.pruning.soft import Soft
from evonas_trainers.slots import Curriculum, Pruning, cut
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


def unchanged(state: State) -> tuple[nn.Module, State]:
    model = network()
    model.load_state_dict(dict(state.tensors))
    return model, state


def test_a_pruner_may_run_two_paths_and_train_a_companion(pictures: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    rule = {"name": "support.two_paths:TwoPaths", "log": str(log)}
    plan = PruningPlan(schedule=Schedule(rule=rule), compacted=unchanged)
    trainer = Supervised(data=pictures, epochs=1, batch_size=1000)
    trained = trainer.train(network(), replace(context(trainer.prepare(0)), pruning=plan))
    assert log.read_text(encoding="utf-8") == "loss before after finish "
    assert trained.state is not None
    assert trained.state.tensors.keys() == network().state_dict().keys()


def test_a_pruning_and_a_curriculum_work_together(pictures: str) -> None:
    places = {name: np.arange(10)[:, None] for name in ("0.weight", "0.bias", "1.weight", "1.bias")}
    columns = {"4.weight": np.arange(360).reshape(10, 36)}
    group = PlannedGroup(
        name="0",
        size=10,
        keep=8,
        weights={"0.weight": places["0.weight"]},
        rows=places,
        norms=("1.weight",),
        columns=columns,
    )
    plan = PruningPlan(schedule=Schedule(interval=2), groups=(group,), compacted=unchanged)
    trainer = Supervised(
        data=pictures,
        epochs=6,
        batch_size=16,
        curriculum=EasyToHard(scoring_epochs=3),
    )
    trained = trainer.train(network(), replace(context(trainer.prepare(0)), pruning=plan))
    assert trained.state is not None
    assert trained.metrics["error"] < 0.2
    assert (trained.state.tensors["1.weight"] == 0).sum() == 2
