"""The losses between logits are their formulas, in the one convention of weights."""

import math

import literal_transfer as literal
import pytest
import torch

from evonas.errors import ConfigError
from evonas_trainers.distillation.losses.logits import LogitDistance, SoftLabels

LABELS = torch.arange(5)


def logits(seed: int, classes: int = 7) -> torch.Tensor:
    return 3 * torch.randn(5, classes, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("classes", "temperature", "expected"),
    [(10, 1.0, 0.510826), (10, 4.0, 8.173210), (100, 1.0, 1.614463), (100, 4.0, 25.831409)],
)
def test_kl_is_what_was_worked_out_by_hand(
    classes: int, temperature: float, expected: float
) -> None:
    even = torch.zeros(3, classes)
    half_sure = torch.zeros(3, classes)
    half_sure[:, 2] = temperature * math.log(classes - 1)  # softens to 1/2 and 1/(2 (classes - 1))
    loss = SoftLabels(temperature=temperature).loss(even, half_sure, LABELS[:3]).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_kl_is_its_formula(temperature: float) -> None:
    to, source = logits(0), logits(1)
    loss = SoftLabels(temperature=temperature).loss(to, source, LABELS).mean()
    expected = literal.divergence(to.tolist(), source.tolist(), temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_kl_does_not_see_what_a_softmax_does_not_see() -> None:
    to, source = logits(0), logits(1)
    loss = SoftLabels().loss(to + 5, source - 3, LABELS).mean()
    assert float(loss) == pytest.approx(
        float(SoftLabels().loss(to, source, LABELS).mean()), rel=1e-4
    )


def test_mse_logits_is_its_formula() -> None:
    to, source = logits(0), logits(1)
    loss = LogitDistance().loss(to, source, LABELS).mean()
    assert float(loss) == pytest.approx(literal.logit_distance(to.tolist(), source.tolist()))


def test_kl_at_a_high_temperature_is_mse_logits_over_twice_the_classes() -> None:
    to, source = (one - one.mean(1, keepdim=True) for one in (logits(0), logits(1)))
    hot = SoftLabels(temperature=300.0).loss(to.double(), source.double(), LABELS).mean()
    assert float(hot) == pytest.approx(
        float(LogitDistance().loss(to, source, LABELS).mean()) / 14, 0.02
    )


def test_the_gradient_of_kl_is_that_of_cross_entropy_with_soft_labels() -> None:
    to = logits(0).requires_grad_()
    source = logits(1)
    SoftLabels(temperature=4.0).loss(to, source, LABELS).mean().backward()
    expected = 4 * (torch.softmax(to / 4, 1) - torch.softmax(source / 4, 1)) / len(to)
    torch.testing.assert_close(to.grad, expected.detach())


def test_the_gradient_reaches_a_source_that_is_not_detached() -> None:
    source = logits(1).requires_grad_()
    SoftLabels().loss(logits(0), source, LABELS).mean().backward()
    assert source.grad is not None
    assert source.grad.abs().sum() > 0


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature: float) -> None:
    with pytest.raises(ConfigError, match="temperature divides logits"):
        SoftLabels(temperature=temperature)
