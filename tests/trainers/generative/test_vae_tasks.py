"""Classes come in order, from set to set, as pictures of one kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evonas.errors import ConfigError
from evonas.seeds import stream
from evonas_trainers.generative.lifelong_vae import LifelongVae


@pytest.fixture
def second(tmp_path: Path) -> str:
    """Six classes of pictures of another size and scale."""
    rng = stream(0, "pictures")
    path = tmp_path / "second.npz"
    pictures = rng.integers(0, 101, (120, 12, 12)).astype(np.int64) - 50
    np.savez(path, x=pictures, y=np.arange(120) % 6)
    return str(path)


def test_classes_are_cut_into_tasks_in_order() -> None:
    prepared = LifelongVae(tasks=4, judged=5).prepare(0)
    assert prepared["tasks"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]


def test_sets_follow_one_another_with_labels_counted_on(second: str) -> None:
    prepared = LifelongVae(data=("digits", second), tasks=2, judged=5).prepare(0)
    assert prepared["tasks"].tolist() == [0] * 5 + [1] * 5 + [2] * 3 + [3] * 3
    for part in ("train", "valid", "test"):
        assert prepared[f"{part}_y"].unique().tolist() == list(range(16))
        assert prepared[f"{part}_x"].shape[1:] == (1, 8, 8)


def test_every_set_spans_the_bytes(second: str) -> None:
    prepared = LifelongVae(data=("digits", second), tasks=1, size=12, judged=5).prepare(0)
    first = prepared["train_y"] < 10
    later = prepared["train_x"][~first]
    assert prepared["train_x"].dtype == torch.uint8
    assert prepared["train_x"].shape[1:] == (1, 12, 12)
    assert (int(later.min()), int(later.max())) == (0, 255)
    assert int(prepared["train_x"][first].max()) > 240


def test_no_picture_is_in_two_parts() -> None:
    prepared = LifelongVae(judged=5).prepare(0)
    sizes = [len(prepared[f"{part}_y"]) for part in ("train", "valid", "test")]
    assert sum(sizes) == 1797
    assert sizes[1:] == [359, 359]


def saved(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "set.npz", **arrays)
    return str(folder / "set.npz")


def test_what_are_no_pictures_is_refused(tmp_path: Path) -> None:
    vectors = saved(tmp_path, x=np.zeros((60, 4)), y=np.arange(60) % 3)
    with pytest.raises(ConfigError, match="holds vectors of 4 features"):
        LifelongVae(data=(vectors,), tasks=1).prepare(0)


def test_colours_after_greys_are_refused(tmp_path: Path) -> None:
    colours = saved(tmp_path, x=np.zeros((60, 3, 8, 8), np.uint8), y=np.arange(60) % 3)
    with pytest.raises(ConfigError, match="after a set of 1 channels"):
        LifelongVae(data=("digits", colours), tasks=1).prepare(0)


def test_other_channels_than_those_of_pictures_are_refused(tmp_path: Path) -> None:
    planes = saved(tmp_path, x=np.zeros((60, 5, 8, 8), np.uint8), y=np.arange(60) % 3)
    with pytest.raises(ConfigError, match="give 1, or 3 for colours"):
        LifelongVae(data=(planes,), tasks=1).prepare(0)


def test_more_tasks_than_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"has 10 classes, too few for tasks = 11"):
        LifelongVae(tasks=11).prepare(0)


def test_an_unknown_set_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'digits'"):
        LifelongVae(data=("digit",)).prepare(0)
