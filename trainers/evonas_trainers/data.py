"""Labelled data, checked and split once a search, as tensors that the engine stores and lends.

The mapping has `train_x`, `train_y`, `valid_x`, `valid_y`, `test_x`, `test_y`; `mean` and `std` of
the training inputs (a value a channel, or a feature of vectors); `classes`, their number; and
`train_index`, the row of each training sample in the training data as published. Pictures are
(samples, channels, height, width), as bytes where they were published as bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evonas.errors import ConfigError
from evonas.seeds import Rng, stream
from evonas_trainers.sources import Labelled, Source

_COLOURS = (1, 3)
_MAX_CLASSES = 100_000


@final
@dataclass(frozen=True, kw_only=True)
class Split:
    """How the samples are shared out; each part has every class in proportion.

    Attributes:
        valid_ratio: Share of the published training data that selection judges by.
        test_ratio: Share that is set aside where the data have no test data of their own.
        train_samples: Train on so many at most.
    """

    valid_ratio: float
    test_ratio: float
    train_samples: int | None


def prepare(name: str, source: Source, split: Split, seed: int) -> Mapping[str, Tensor]:
    """Check the data set `name` and split it.

    Raises:
        ConfigError: if it cannot be used, saying why in one line.
    """
    inputs, labels, classes = _checked(name, source.train)
    order = _stratified(labels, stream(seed, "split"))
    parts: dict[str, NDArray[np.int64]] = {}
    if source.test is None:
        num_test = round(split.test_ratio * len(order))
        test, order = order[:num_test], order[num_test:]
        test_x, test_y = inputs[test], labels[test]
        parts["test"] = test_y
    else:
        test_x, test_y, _ = _checked(f"{name} (test)", source.test)
        _check_alike(name, inputs, test_x, classes, test_y)
    num_valid = round(split.valid_ratio * len(labels))
    valid, train = order[:num_valid], order[num_valid:][: split.train_samples]
    _check_classes(name, classes, {"training": labels[train], "validation": labels[valid], **parts})
    mean, std = _moments(inputs[train])
    arrays: dict[str, NDArray[Any]] = {
        "train_x": inputs[train],
        "train_y": labels[train],
        "train_index": train,
        "valid_x": inputs[valid],
        "valid_y": labels[valid],
        "test_x": test_x,
        "test_y": test_y,
        "mean": mean,
        "std": std,
        "classes": np.asarray(classes),
    }
    return {key: torch.from_numpy(np.array(value, order="C")) for key, value in arrays.items()}


def _checked(name: str, part: Labelled) -> tuple[NDArray[Any], NDArray[np.int64], int]:
    """Return inputs as bytes or float32 with channels first, int64 labels, number of classes."""
    inputs, labels = part.inputs, part.labels
    if inputs.ndim not in (2, 3, 4) or 0 in inputs.shape[1:]:
        raise ConfigError(
            f"{name!r}: x has shape {inputs.shape}; give (samples, features), (samples, height, "
            "width) or (samples, channels, height, width)"
        )
    if labels.shape != inputs.shape[:1]:
        raise ConfigError(
            f"{name!r}: y has shape {labels.shape} beside x of {inputs.shape}; give one label a "
            f"sample, ({len(inputs)},)"
        )
    if not len(inputs):
        raise ConfigError(f"{name!r} has no samples")
    return _numbers(name, _channels_first(inputs)), *_labels(name, labels, part.classes)


def _channels_first(inputs: NDArray[Any]) -> NDArray[Any]:
    if inputs.ndim == 3:
        return inputs[:, None]
    channels_last = inputs.ndim == 4 and inputs.shape[3] in _COLOURS
    if channels_last and inputs.shape[1] not in _COLOURS:
        return inputs.transpose(0, 3, 1, 2)
    return inputs


def _numbers(name: str, inputs: NDArray[Any]) -> NDArray[Any]:
    if inputs.dtype == np.uint8:
        return inputs
    if inputs.dtype.kind not in "biuf":
        raise ConfigError(f"{name!r}: x holds {inputs.dtype}; give integers or real numbers")
    with np.errstate(over="ignore"):
        inputs = inputs.astype(np.float32)
    finite = np.isfinite(inputs.reshape(len(inputs), -1)).all(axis=1)
    if not finite.all():
        raise ConfigError(
            f"{name!r}: x has nan, inf or numbers beyond float32 in {(~finite).sum()} of "
            f"{len(inputs)} samples (first in sample {finite.argmin()}); remove or replace them"
        )
    return inputs


def _labels(name: str, labels: NDArray[Any], classes: int | None) -> tuple[NDArray[np.int64], int]:
    if labels.dtype.kind not in "iu":
        raise ConfigError(
            f"{name!r}: y holds {labels.dtype}; labels must be integers, 0 to classes - 1"
        )
    low, high = int(labels.min()), int(labels.max())
    top = classes - 1 if classes is not None else _MAX_CLASSES - 1
    if low < 0 or high > top:
        raise ConfigError(
            f"{name!r}: y goes from {low} to {high}; labels must be 0 to "
            f"{'classes - 1' if classes is None else top}"
        )
    return labels.astype(np.int64), high + 1 if classes is None else classes


def _check_alike(
    name: str,
    train: NDArray[Any],
    test: NDArray[Any],
    classes: int,
    labels: NDArray[np.int64],
) -> None:
    if test.shape[1:] != train.shape[1:]:
        raise ConfigError(
            f"{name!r}: test inputs are {test.shape[1:]}, training inputs {train.shape[1:]}"
        )
    if test.dtype != train.dtype:
        raise ConfigError(
            f"{name!r}: test inputs are {test.dtype}, training inputs {train.dtype}; "
            "give both in the same units and type"
        )
    if labels.max() >= classes:
        raise ConfigError(
            f"{name!r}: the test data have label {labels.max()}, the training data only "
            f"0 to {classes - 1}"
        )


def _check_classes(name: str, classes: int, parts: Mapping[str, NDArray[np.int64]]) -> None:
    if classes < 2:
        raise ConfigError(f"{name!r} has a single class; give at least two")
    for part, labels in parts.items():
        found = np.bincount(labels, minlength=classes)
        if not found.all():
            raise ConfigError(
                f"{name!r}: too few samples of class {found.argmin()}, none is left for "
                f"{part}; give more of them (at least five), a larger share or fewer classes"
            )


def _stratified(labels: NDArray[np.int64], rng: Rng) -> NDArray[np.int64]:
    """Return a random order of which every prefix has the classes in proportion."""
    shuffled = rng.permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")


def _moments(inputs: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation by channel, piece by piece; 1 for what is constant."""
    axes = (0, *range(2, inputs.ndim))
    count = inputs.size / inputs.shape[1]
    pieces = np.array_split(inputs, -(-len(inputs) // 1024))
    mean = sum(piece.sum(axis=axes, dtype=np.float64) for piece in pieces) / count
    centre = np.expand_dims(mean, axes)
    std = np.sqrt(sum(np.square(piece - centre).sum(axis=axes) for piece in pieces) / count)
    varies = std > 1e-6 * np.abs(mean)
    return mean.astype(np.float32), np.where(varies, std, 1).astype(np.float32)


def on(device: torch.device, prepared: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return prepared data on a device."""
    return {name: tensor.to(device) for name, tensor in prepared.items()}
