"""Lengths are those of torch, with second derivatives at zero."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from evonas_trainers.distillation.losses.lengths import lengths, unit


def vectors(size: float) -> Tensor:
    return size * torch.randn(5, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_lengths_and_directions_are_those_of_torch(size: float) -> None:
    given = vectors(size)
    torch.testing.assert_close(unit(given), F.normalize(given))
    torch.testing.assert_close(lengths(given, dim=1), torch.linalg.vector_norm(given, dim=1))


@pytest.mark.parametrize("of", [unit, lambda given: lengths(given, dim=1)], ids=["unit", "length"])
@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-7, 1.0, 1e4])
def test_all_derivatives_are_finite(of: Callable[[Tensor], Tensor], size: float) -> None:
    given = vectors(size).requires_grad_()
    (first,) = torch.autograd.grad(of(given).sum(), given, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), given)
    assert first.isfinite().all()
    assert second.isfinite().all()


def test_zero_has_no_length_and_no_direction() -> None:
    assert not unit(torch.zeros(2, 3)).any()
    assert not lengths(torch.zeros(2, 3), dim=1).any()
