"""A converted weight gives the term that the published code computes."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas_trainers.distillation.losses.logits import LogitDistance, SoftLabels
from evonas_trainers.distillation.losses.maps import Attention
from evonas_trainers.distillation.published import (
    attention_from_mean,
    kl_from_mean,
    kl_from_unscaled,
    mse_logits_from_mean,
)

LABELS = torch.arange(3)


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, *shape, generator=generator), torch.randn(3, *shape, generator=generator)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning")
@pytest.mark.parametrize("classes", [10, 100])
def test_a_divergence_averaged_over_classes_is_worth_a_share_of_its_weight(classes: int) -> None:
    to, source = pair(classes)
    published = 0.7 * nn.KLDivLoss()(F.log_softmax(to / 5, 1), F.softmax(source / 5, 1)) * 25
    ours = kl_from_mean(0.7, classes) * SoftLabels(temperature=5.0).loss(to, source, LABELS).mean()
    torch.testing.assert_close(ours, published)


def test_a_divergence_without_the_square_is_worth_as_much_less() -> None:
    to, source = pair(10)
    soft = F.log_softmax(to / 4, 1), F.softmax(source / 4, 1)
    published = 0.9 * F.kl_div(*soft, reduction="batchmean")
    ours = kl_from_unscaled(0.9, 4) * SoftLabels(temperature=4.0).loss(to, source, LABELS).mean()
    torch.testing.assert_close(ours, published)


def test_a_mean_squared_difference_of_logits_is_worth_a_share_of_its_weight() -> None:
    to, source = pair(10)
    ours = mse_logits_from_mean(2.0, classes=10) * LogitDistance().loss(to, source, LABELS).mean()
    torch.testing.assert_close(ours, 2 * F.mse_loss(to, source))


@pytest.mark.parametrize("size", [4, 8])
def test_attention_averaged_over_positions_is_worth_a_share_of_its_weight(size: int) -> None:
    to, source = pair(5, size, size)
    mine, its = (F.normalize(one.pow(2).mean(1).flatten(1)) for one in (to, source))
    ours = attention_from_mean(1000, size, size) * Attention().loss(to, source, LABELS).mean()
    torch.testing.assert_close(ours, 1000 * (mine - its).pow(2).mean())
