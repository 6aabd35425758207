"""Distances between samples of series."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from evonas_trainers.generative.sde.distances import discrepancy, energy, median_distance

Distance = Callable[[Tensor, Tensor, Tensor], Tensor]
UNIT = torch.tensor(4.0)


def sample(seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(300, 8, 1, generator=torch.Generator().manual_seed(seed)) + shift


@pytest.mark.parametrize("distance", [discrepancy, energy])
def test_samples_of_one_law_are_at_no_distance(distance: Distance) -> None:
    found = [float(distance(sample(seed), sample(seed + 50), UNIT)) for seed in range(20)]
    assert abs(sum(found) / len(found)) < 1e-3


@pytest.mark.parametrize("distance", [discrepancy, energy])
def test_what_is_farther_is_at_a_larger_distance(distance: Distance) -> None:
    far = [float(distance(sample(0), sample(1, shift), UNIT)) for shift in (0.0, 0.3, 0.6, 1.2)]
    assert far == sorted(far)
    assert far[0] < 0.02 < far[-1]


def test_the_median_distance_is_a_median() -> None:
    assert float(median_distance(torch.tensor([[[0.0]], [[1.0]], [[3.0]]]))) == 2.0
