"""The relational losses are their formulas, and see relations only."""

import literal_transfer as literal
import pytest
import torch
from torch import Tensor

from evonas.transfer import Transfer
from evonas_trainers.distillation.losses.relations import Angle, Distance

LABELS = torch.arange(6)
BOTH = pytest.mark.parametrize("loss", [Angle(), Distance()], ids=["angle", "distance"])


def outputs(seed: int) -> Tensor:
    return 3 * torch.randn(6, 4, generator=torch.Generator().manual_seed(seed))


def test_the_angle_loss_is_its_formula() -> None:
    to, source = outputs(0), outputs(1)
    expected = literal.angle(to.tolist(), source.tolist())
    assert float(Angle().loss(to, source, LABELS).mean()) == pytest.approx(expected, rel=1e-4)


def test_the_distance_loss_is_its_formula() -> None:
    to, source = outputs(0), outputs(1)
    expected = literal.distance(to.tolist(), source.tolist())
    assert float(Distance().loss(to, source, LABELS).mean()) == pytest.approx(expected, rel=1e-4)


@BOTH
def test_relations_do_not_change_when_outputs_are_moved_turned_and_scaled(loss: Transfer) -> None:
    to, source = outputs(0), outputs(1)
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(2)))
    moved = 5 * source @ turn + 1
    expected = float(loss.loss(to, source, LABELS).mean())
    assert float(loss.loss(to, moved, LABELS).mean()) == pytest.approx(expected, rel=1e-4)


@BOTH
def test_equal_outputs_have_a_finite_gradient(loss: Transfer) -> None:
    equal = torch.ones(6, 4, requires_grad=True)
    loss.loss(equal, outputs(1), LABELS).mean().backward()
    assert equal.grad is not None
    assert equal.grad.isfinite().all()
