"""The losses between maps are their formulas, and do not grow with the maps."""

from collections.abc import Sequence

import literal_transfer as literal
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from evonas.transfer import Transfer
from evonas_trainers.distillation.losses.maps import Attention, Hint, StandardAttention

LABELS = torch.arange(3)
SIZE_FREE = [Hint(), StandardAttention(), Attention()]


def maps(seed: int, *shape: int) -> Tensor:
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed))


def test_hint_is_the_mean_squared_difference() -> None:
    to, source = maps(0, 4, 5, 5), maps(1, 4, 5, 5)
    squares = [(a - b) ** 2 for a, b in zip(to.flatten(), source.flatten(), strict=True)]
    assert float(Hint().loss(to, source, LABELS).mean()) == pytest.approx(float(sum(squares)) / 300)


def test_attention_is_its_formula_whatever_the_channels() -> None:
    to, source = maps(0, 4, 5, 3), maps(1, 2, 5, 3)
    loss = Attention().loss(to, source, LABELS).mean()
    assert float(loss) == pytest.approx(literal.attention(to, source), rel=1e-4)


def test_z_attention_is_its_formula_whatever_the_channels() -> None:
    to, source = maps(0, 4, 5, 3), maps(1, 2, 5, 3)
    loss = StandardAttention().loss(to, source, LABELS).mean()
    assert float(loss) == pytest.approx(literal.z_attention(to, source), rel=1e-4)


@pytest.mark.parametrize("loss", SIZE_FREE, ids=lambda one: type(one).__name__)
def test_a_loss_of_maps_does_not_depend_on_their_size(loss: Transfer) -> None:
    to, source = maps(0, 4, 4, 4), maps(1, 4, 4, 4)
    small = float(loss.loss(to, source, LABELS).mean())
    large = loss.loss(
        F.interpolate(to, scale_factor=4), F.interpolate(source, scale_factor=4), LABELS
    ).mean()
    assert float(large) == pytest.approx(small, rel=1e-4)


@pytest.mark.parametrize("loss", [Attention(), StandardAttention()], ids=["energy", "z-score"])
@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_attention_does_not_depend_on_how_large_activations_are(
    loss: Transfer, factor: float
) -> None:
    to, source = maps(0, 4, 5, 5), maps(1, 4, 5, 5)
    expected = float(loss.loss(to, source, LABELS).mean())
    assert float(loss.loss(factor * to, source, LABELS).mean()) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("sizes", [((2, 8, 8), (3, 4, 4)), ((2, 4, 4), (3, 8, 8))])
def test_attention_of_unlike_maps_is_compared_at_the_smaller_size(
    sizes: Sequence[tuple[int, int, int]],
) -> None:
    to, source = (maps(seed, *size) for seed, size in enumerate(sizes))
    shrunk = [F.adaptive_avg_pool2d(one.square().mean(1), 4).flatten(1) for one in (to, source)]
    units = [one / one.norm(dim=1, keepdim=True) for one in shrunk]
    expected = (units[0] - units[1]).square().sum(1).mean()
    torch.testing.assert_close(Attention().loss(to, source, LABELS).mean(), expected)


@pytest.mark.parametrize("loss", SIZE_FREE, ids=lambda one: type(one).__name__)
def test_a_loss_of_maps_is_zero_where_they_agree(loss: Transfer) -> None:
    same = maps(0, 4, 5, 5)
    assert float(loss.loss(same, same.clone(), LABELS).mean()) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("loss", SIZE_FREE, ids=lambda one: type(one).__name__)
def test_a_flat_map_has_a_finite_gradient(loss: Transfer) -> None:
    flat = torch.zeros(3, 4, 5, 5, requires_grad=True)
    loss.loss(flat, maps(1, 4, 5, 5), LABELS).mean().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
