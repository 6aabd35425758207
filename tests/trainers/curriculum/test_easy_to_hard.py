"""Easy samples come first; all come in the end."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas import seeds
from evonas.trainer import Context
from evonas_trainers.curriculum.easy_to_hard import EasyToHard, rank_in_class
from evonas_trainers.supervised import Supervised


def context(prepared: Mapping[str, Tensor]) -> Context:
    return Context(torch.device("cpu"), torch.float32, 0, prepared, None, lambda *_, **__: None)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of 150 vectors of three classes; every tenth has a wrong label."""
    y = np.arange(150) % 3
    x = seeds.stream(0).normal(np.eye(3)[y], 0.2)
    y[::10] = (y[::10] + 1) % 3
    path: Path = tmp_path_factory.mktemp("data") / "table.npz"
    np.savez(path, x=x, y=y)
    return str(path)


def test_ranks_run_from_zero_inside_every_class() -> None:
    difficulty = torch.tensor([3.0, 1.0, 2.0, 9.0, 8.0])
    labels = torch.tensor([0, 0, 0, 1, 1])
    assert rank_in_class(difficulty, labels).tolist() == pytest.approx([2 / 3, 0, 1 / 3, 0.5, 0])


def pools() -> list[Tensor]:
    """Return the samples of ten epochs; sample i is the i-th easiest of a hundred."""
    data = {"difficulty": torch.arange(100.0), "train_y": torch.zeros(100, dtype=torch.long)}
    curriculum = EasyToHard(first=0.2, until=0.5)
    course = curriculum.start(data, 10, 16, torch.Generator().manual_seed(0))
    return [torch.cat([*course.batches(epoch, nn.Identity())]) for epoch in range(10)]


def test_the_pool_grows_from_the_first_share_to_everything() -> None:
    sizes = [len(pool) for pool in pools()]
    assert sizes == [20, 36, 52, 68, 84, 100, 100, 100, 100, 100]


def test_a_pool_holds_the_easiest_samples() -> None:
    assert all(pool.sort().values.equal(torch.arange(len(pool))) for pool in pools())


def test_a_pool_is_shuffled_anew_each_epoch() -> None:
    *_, one, other = pools()
    assert not torch.equal(one, other)


def test_the_trainer_counts_the_samples_it_saw(table: str) -> None:
    curriculum = EasyToHard(first=0.5, until=0.5)
    trainer = Supervised(data=table, epochs=4, curriculum=curriculum)
    prepared = trainer.prepare(0)
    trained = trainer.train(nn.Linear(3, 3), context(prepared))
    whole = len(prepared["train_y"])
    assert trained.samples == pytest.approx(whole * (0.5 + 0.75 + 1 + 1), rel=0.03)


def test_wrong_labels_are_found_difficult(table: str) -> None:
    prepared = Supervised(data=table, curriculum=EasyToHard()).prepare(0)
    is_wrong = prepared["train_index"] % 10 == 0
    difficulty = prepared["difficulty"]
    assert difficulty[is_wrong].min() > difficulty[~is_wrong].median()
