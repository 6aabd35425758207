"""Data sets in sequence, their classes cut into tasks: what a lifelong learner meets, in order.

The mapping has `train_x`, `train_y`, `valid_x`, `valid_y`, `test_x`, `test_y`, pictures as bytes
from 0 to 255 of one size, labels counted on from set to set; and `tasks`, the task of each class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from evonas import seeds
from evonas.errors import ConfigError
from evonas_trainers import data as labelled, sources
from evonas_trainers.data import Split

_PARTS = ("train", "valid", "test")
_FOLDER_SIZE = 32
_COLOURS = (1, 3)


@final
@dataclass(frozen=True, kw_only=True)
class Course:
    """Where the tasks come from.

    Attributes:
        data: Names of data sets, see `evonas_trainers.sources.read`.
        root: Folder for downloaded data.
        packed: Folder of packed data sets, looked into before anything is downloaded.
        size: Height and width of all pictures; None for those of the first set.
        tasks: How many tasks the classes of each set are cut into.
        split: How samples are shared out.
    """

    data: Sequence[str]
    root: Path
    packed: Path | None
    size: int | None
    tasks: int
    split: Split


def prepare(course: Course, seed: int) -> Mapping[str, Tensor]:
    """Read the sets one after the other and cut them into tasks.

    Raises:
        ConfigError: if they cannot be used, saying why in one line.
    """
    found: list[Mapping[str, Tensor]] = []
    tasks: list[Tensor] = []
    shape: Sequence[int] = ()
    for place, name in enumerate(course.data):
        source = sources.read(name, course.root, course.size or _FOLDER_SIZE, course.packed)
        one = labelled.prepare(name, source, course.split, seeds.integer(seed, "set", place))
        classes = int(one["classes"])
        if classes < course.tasks:
            raise ConfigError(
                f"{name!r} has {classes} classes, too few for tasks = {course.tasks!r}; give at"
                " least one class a task"
            )
        shape = shape or _shape(name, one["train_x"], course.size)
        found.append(_alike(name, one, shape, offset=sum(map(len, tasks))))
        groups = np.array_split(np.arange(classes), course.tasks)
        first = place * course.tasks
        tasks.append(torch.cat([torch.full((len(g),), first + n) for n, g in enumerate(groups)]))
    keys = [f"{part}_{kind}" for part in _PARTS for kind in "xy"]
    joined = {key: torch.cat([one[key] for one in found]) for key in keys}
    return {**joined, "tasks": torch.cat(tasks)}


def pixels(pictures: Tensor) -> Tensor:
    """Return bytes as numbers from 0 to 1."""
    return pictures.float() / 255


def _shape(name: str, pictures: Tensor, size: int | None) -> Sequence[int]:
    """Return channels, height and width that all pictures are brought to."""
    if pictures.ndim != 4:
        raise ConfigError(
            f"{name!r} holds vectors of {pictures.shape[1]} features; give pictures, (samples,"
            " height, width) or (samples, channels, height, width)"
        )
    if pictures.shape[1] not in _COLOURS:
        raise ConfigError(
            f"{name!r} has pictures of {pictures.shape[1]} channels; give 1, or 3 for colours"
        )
    return (pictures.shape[1], *((size, size) if size else pictures.shape[2:]))


def _alike(
    name: str, one: Mapping[str, Tensor], shape: Sequence[int], offset: int
) -> Mapping[str, Tensor]:
    """Return a set's parts with pictures of one shape and scale, and labels from `offset` on."""
    train = one["train_x"]
    if train.ndim != 4 or train.shape[1] != shape[0]:
        raise ConfigError(
            f"{name!r} has pictures of shape {tuple(train.shape[1:])} after a set of"
            f" {shape[0]} channels; give sets with as many channels each"
        )
    low, high = float(train.min()), float(train.max())
    scale = 255 / max(high - low, 1e-12)
    parts: dict[str, Tensor] = {}
    for part in _PARTS:
        pictures = (one[f"{part}_x"].float() - low) * scale
        if pictures.shape[2:] != torch.Size(shape[1:]):
            size = [int(extent) for extent in shape[1:]]
            pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True)
        parts[f"{part}_x"] = pictures.clamp(0, 255).round().byte()
        parts[f"{part}_y"] = one[f"{part}_y"] + offset
    return parts
