"""Augmentation moves, mirrors, cuts and mixes as it says, and only that."""

from typing import Any

import pytest
import torch
from torch import Tensor

from evonas import seeds
from evonas.errors import ConfigError
from evonas_trainers.augment import Augment, crop_and_flip, cutout, normalise


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(number: int = 64) -> Tensor:
    """Return pictures without zeros, every pixel of a picture another."""
    values = torch.arange(1, 1 + 2 * 4 * 6, dtype=torch.uint8).reshape(1, 2, 4, 6)
    return values.expand(number, -1, -1, -1).contiguous()


def test_every_crop_is_a_window_of_the_padded_picture() -> None:
    given = pictures()
    padded = torch.nn.functional.pad(given[0], [1] * 4)
    windows = [padded[:, y : y + 4, x : x + 6] for y in range(3) for x in range(3)]
    found = [
        next(place for place, window in enumerate(windows) if torch.equal(crop, window))
        for crop in crop_and_flip(given, 1, flip=False, generator=draws())
    ]
    assert set(found) == set(range(9))


def test_half_of_the_pictures_are_mirrored() -> None:
    given = pictures(1000)
    found = crop_and_flip(given, 0, flip=True, generator=draws())
    mirrored = (found == given.flip(3)).flatten(1).all(1)
    assert 440 < mirrored.sum() < 560
    assert torch.equal(found[~mirrored], given[~mirrored])


def test_crops_are_channels_last() -> None:
    crops = crop_and_flip(pictures(), 1, flip=True, generator=draws())
    assert crops.is_contiguous(memory_format=torch.channels_last)


def test_cutout_zeroes_one_square_that_the_edge_may_cut() -> None:
    found = cutout(torch.ones(500, 2, 8, 8), 4, draws())
    holes = found[:, 0] == 0
    assert torch.equal(holes, found[:, 1] == 0)
    heights, widths = holes.any(2).sum(1), holes.any(1).sum(1)
    assert torch.equal(holes.sum((1, 2)), heights * widths)
    assert heights.unique().tolist() == widths.unique().tolist() == [2, 3, 4]


def data() -> dict[str, Tensor]:
    inputs = torch.arange(12.0).reshape(6, 1, 1, 2)
    labels = torch.arange(6)
    return {"train_x": inputs, "train_y": labels, "mean": torch.ones(1), "std": torch.tensor([2.0])}


def test_a_plain_batch_is_the_normalised_rows() -> None:
    rows = torch.tensor([4, 1])
    batch = Augment().batch(data(), rows, draws(), seeds.stream(0))
    assert batch.inputs.flatten().tolist() == [3.5, 4, 0.5, 1]
    assert batch.targets.tolist() == [4, 1]
    assert batch.share == 1


def test_mixup_mixes_every_input_with_its_mirror_image_in_the_batch() -> None:
    rows = torch.arange(6)
    plain = Augment().batch(data(), rows, draws(), seeds.stream(0)).inputs
    batch = Augment(mixup=1.0).batch(data(), rows, draws(), seeds.stream(0))
    assert 0 < batch.share < 1
    expected = batch.share * plain + (1 - batch.share) * plain.flip(0)
    torch.testing.assert_close(batch.inputs, expected)
    assert torch.equal(batch.targets, rows)


def test_normalising_leaves_the_data_alone() -> None:
    given = data()
    normalise(given["train_x"], given)
    assert torch.equal(given["train_x"], data()["train_x"])


@pytest.mark.parametrize("fields", [{"pad": -1}, {"cutout": -1}, {"mixup": -0.1}])
def test_negative_values_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="0 or more"):
        Augment(**fields)
