"""Weights in units of cross-entropy's gradient."""

import pytest
import torch
from torch import Tensor

from evonas_trainers.distillation.learning.scale import LIMIT, STEPS, GradientScale


def value(scale: GradientScale) -> float:
    return float(scale.value)


def at() -> Tensor:
    return torch.tensor([3.0, 4.0], requires_grad=True)


def test_the_scaled_loss_pulls_as_strongly_as_cross_entropy() -> None:
    point, scale = at(), GradientScale()
    task, edge = (2 * point).sum(), 10 * point.square().sum()
    scale.measure(task, edge, point)
    (scaled,) = torch.autograd.grad(value(scale) * edge, point, retain_graph=True)
    (plain,) = torch.autograd.grad(task, point)
    assert scaled.norm().item() == pytest.approx(plain.norm().item())


def test_it_is_the_ratio_of_means_over_the_first_steps_and_then_stays() -> None:
    scale = GradientScale()
    for step in range(STEPS + 5):
        point = at()
        assert scale.is_frozen == (step >= STEPS)
        scale.measure(6 * point[0], (1.0 + step) * point[0], point)
    mean = sum(range(1, STEPS + 1)) / STEPS
    assert value(scale) == pytest.approx(6 / mean)


def test_a_step_without_a_pull_says_nothing() -> None:
    scale = GradientScale()
    for factor in (0.0, 2.0, 0.0):
        point = at()
        scale.measure(6 * point[0], factor * point[0], point)
    assert value(scale) == pytest.approx(3)


def test_an_edge_that_never_pulls_is_not_scaled() -> None:
    point, scale = at(), GradientScale()
    assert value(scale) == 1
    scale.measure(6 * point[0], 0 * point[0], point)
    scale.measure(6 * point[0], torch.tensor(1.0), point)
    assert value(scale) == 1


@pytest.mark.parametrize(("factor", "expected"), [(1e-9, LIMIT), (1e9, 1 / LIMIT)])
def test_no_edge_is_scaled_beyond_the_limits(factor: float, expected: float) -> None:
    point, scale = at(), GradientScale()
    scale.measure(point[0], factor * point[0], point)
    assert value(scale) == pytest.approx(expected)
