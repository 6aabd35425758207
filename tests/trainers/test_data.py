"""Data are checked and split; what cannot be used is refused in one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from evonas import seeds
from evonas.errors import ConfigError
from evonas_trainers import sources
from evonas_trainers.data import Split, prepare

Arrays = dict[str, NDArray[Any]]
Y = np.arange(60) % 3


def load(name: str, seed: int = 0, limit: int | None = None) -> Mapping[str, torch.Tensor]:
    split = Split(valid_ratio=0.2, test_ratio=0.2, train_samples=limit)
    return prepare(name, sources.read(name, Path(), 8), split, seed)


def npz(path: Path, **arrays: NDArray[Any]) -> str:
    np.savez(path / "data.npz", allow_pickle=False, **arrays)
    return str(path / "data.npz")


def test_digits_are_split_in_proportion_without_overlap() -> None:
    data = load("digits")
    assert data["train_x"].dtype == torch.uint8
    assert data["train_x"].shape[1:] == (1, 8, 8)
    assert [len(data[f"{part}_y"]) for part in ("train", "valid", "test")] == [1079, 359, 359]
    assert int(data["classes"]) == 10
    for part in ("valid", "test"):
        assert data[f"{part}_y"].bincount().sub(35.9).abs().max() < 3


def test_parts_share_no_sample_and_miss_none(tmp_path: Path) -> None:
    name = npz(tmp_path, x=np.arange(60.0)[:, None], y=Y)
    data = load(name)
    found = torch.cat([data[f"{part}_x"] for part in ("train", "valid", "test")]).flatten()
    assert found.sort().values.tolist() == list(range(60))
    assert torch.equal(data["train_x"].flatten().long(), data["train_index"])


def test_labels_stay_with_their_inputs(tmp_path: Path) -> None:
    data = load(npz(tmp_path, x=Y[:, None].astype(float), y=Y))
    for part in ("train", "valid", "test"):
        assert torch.equal(data[f"{part}_x"].flatten().long(), data[f"{part}_y"])


def test_the_seed_decides_the_split(tmp_path: Path) -> None:
    name = npz(tmp_path, x=np.arange(60.0)[:, None], y=Y)
    same, again, other = (load(name, seed=seed)["train_index"] for seed in (1, 1, 2))
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def test_a_limit_keeps_the_classes_in_proportion(tmp_path: Path) -> None:
    data = load(npz(tmp_path, x=np.zeros((60, 2)), y=Y), limit=9)
    assert data["train_y"].bincount().tolist() == [3, 3, 3]


def test_own_test_data_are_kept_apart(tmp_path: Path) -> None:
    x, y = np.zeros((60, 2)), Y
    data = load(npz(tmp_path, x=x, y=y, x_test=np.ones((5, 2)), y_test=y[:5]))
    assert data["test_x"].shape == (5, 2)
    assert len(data["train_y"]) == 48


def test_moments_are_those_of_the_training_pictures(tmp_path: Path) -> None:
    x = seeds.stream(0).normal(3, 2, (60, 2, 4, 4))
    x[:, 1] = 5
    data = load(npz(tmp_path, x=x, y=Y))
    train = data["train_x"].double()
    assert data["mean"].tolist() == pytest.approx(train.mean((0, 2, 3)).tolist(), rel=1e-5)
    assert data["std"].tolist() == pytest.approx([train[:, 0].std(correction=0).item(), 1])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((7,), (7,)), ((4, 5), (1, 4, 5)), ((3, 4, 5), (3, 4, 5)), ((4, 5, 3), (3, 4, 5))],
)
def test_inputs_come_out_with_channels_first(
    tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    data = load(npz(tmp_path, x=np.zeros((60, *shape), np.uint8), y=Y))
    assert tuple(data["train_x"].shape[1:]) == expected
    assert data["train_x"].is_contiguous()


X = np.zeros((60, 4))
NAN = np.where(np.arange(60)[:, None] == 7, np.nan, X)
BAD_DATA: dict[str, tuple[Arrays, str]] = {
    "no y": ({"x": X}, "has no array 'y'"),
    "no x": ({"y": Y}, "has no array 'x'"),
    "scalar inputs": ({"x": X[:, 0], "y": Y}, r"x has shape \(60,\)"),
    "five dimensions": ({"x": np.zeros((60, 1, 1, 1, 1)), "y": Y}, "x has shape"),
    "empty pictures": ({"x": np.zeros((60, 0, 4)), "y": Y}, "x has shape"),
    "too few labels": ({"x": X, "y": Y[:-1]}, r"y has shape \(59,\)"),
    "one-hot labels": ({"x": X, "y": np.eye(3)[Y]}, "one label a sample"),
    "no samples": ({"x": X[:0], "y": Y[:0]}, "has no samples"),
    "text": ({"x": X.astype(str), "y": Y}, "x holds <U"),
    "complex": ({"x": X.astype(complex), "y": Y}, "x holds complex128"),
    "nan": ({"x": NAN, "y": Y}, r"nan, inf .* 1 of 60 samples \(first in sample 7\)"),
    "inf": ({"x": np.where(np.isnan(NAN), np.inf, X), "y": Y}, "nan, inf"),
    "too large": ({"x": X + 1e300, "y": Y}, "beyond float32 in 60"),
    "real labels": ({"x": X, "y": Y + 0.5}, "y holds float64"),
    "negative labels": ({"x": X, "y": Y - 1}, "y goes from -1 to 1"),
    "a label out of range": (
        {"x": X, "y": Y, "classes": np.array(2)},
        "y goes from 0 to 2; labels must be 0 to 1",
    ),
    "a huge label": ({"x": X, "y": Y * 10**9}, "y goes from 0 to 2000000000"),
    "one class": ({"x": X, "y": Y * 0}, "single class"),
    "a class with two samples": (
        {"x": X, "y": np.where(np.arange(60) < 2, 2, Y % 2)},
        "too few samples of class 2",
    ),
    "a class left out": ({"x": X, "y": Y * 2}, "too few samples of class 1"),
    "test inputs of another shape": (
        {"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y},
        "test inputs are",
    ),
    "test inputs of another type": (
        {"x": X, "y": Y, "x_test": X.astype(np.uint8), "y_test": Y},
        "test inputs are uint8",
    ),
    "test labels beyond": ({"x": X, "y": Y, "x_test": X, "y_test": Y + 1}, "have label 3"),
}


@pytest.mark.parametrize(("arrays", "reason"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_arrays_are_refused_in_one_line(tmp_path: Path, arrays: Arrays, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        load(npz(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_too_small_a_limit_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none is left for training"):
        load(npz(tmp_path, x=X, y=Y), limit=2)
