"""The four terms of mutual contrastive learning are their formulas, with all masks."""

import literal_transfer as literal
import pytest
import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas.transfer import Transfer
from evonas_trainers.distillation.losses.contrastive import (
    Contrast,
    MutualContrast,
    SoftContrast,
    SoftMutualContrast,
)

PAIRS = torch.tensor([0, 0, 1, 1, 2, 2])
WITH_ONE_ALONE = torch.tensor([0, 0, 0, 1, 1, 2])
ALL_ALONE = torch.arange(6)
TARGETS = pytest.mark.parametrize("targets", [PAIRS, WITH_ONE_ALONE], ids=["pairs", "one alone"])


def embeddings(seed: int) -> Tensor:
    """Make embeddings as heads give them, of no particular length."""
    return 3 * torch.randn(6, 8, generator=torch.Generator().manual_seed(seed))


@TARGETS
def test_vcl_is_its_formula(targets: Tensor) -> None:
    to = embeddings(0)
    expected = literal.contrast(to.tolist(), to.tolist(), targets.tolist(), 0.1)
    assert float(Contrast(tau=0.1).loss(to, None, targets).mean()) == pytest.approx(
        expected, rel=1e-4
    )


@TARGETS
def test_icl_is_its_formula(targets: Tensor) -> None:
    to, source = embeddings(0), embeddings(1)
    expected = literal.contrast(to.tolist(), source.tolist(), targets.tolist(), 0.07)
    loss = MutualContrast(tau=0.07).loss(to, source, targets).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_soft_vcl_is_its_formula() -> None:
    to, source = embeddings(0), embeddings(1)
    expected = literal.soft_contrast(to.tolist(), source.tolist(), 0.1, 3.0)
    assert float(SoftContrast().loss(to, source, PAIRS).mean()) == pytest.approx(expected, rel=1e-4)


def test_soft_icl_is_its_formula() -> None:
    to, source = embeddings(0), embeddings(1)
    expected = literal.soft_mutual_contrast(to.tolist(), source.tolist(), 0.1, 3.0)
    assert float(SoftMutualContrast().loss(to, source, PAIRS).mean()) == pytest.approx(
        expected, rel=1e-4
    )


def test_soft_icl_asks_for_symmetric_similarities() -> None:
    same = embeddings(0)
    assert float(SoftMutualContrast().loss(same, same, PAIRS).mean()) == pytest.approx(0, abs=1e-6)


def test_the_target_of_soft_icl_has_no_gradient() -> None:
    to, source = embeddings(0).requires_grad_(), embeddings(1)
    (found,) = torch.autograd.grad(SoftMutualContrast().loss(to, source, PAIRS).mean(), to)
    unit = torch.nn.functional.normalize(to)
    forth = unit @ torch.nn.functional.normalize(source).T / 0.1
    aim = torch.softmax(forth.detach().T / 3, 1)
    by_hand = -9 * (aim * torch.log_softmax(forth / 3, 1)).sum(1).mean()
    (expected,) = torch.autograd.grad(by_hand, to)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "loss", [MutualContrast(), SoftContrast(), SoftMutualContrast()], ids=["icl", "svcl", "sicl"]
)
def test_a_source_that_is_not_detached_learns_too(loss: Transfer) -> None:
    to, source = embeddings(0).requires_grad_(), embeddings(1).requires_grad_()
    found = torch.autograd.grad(loss.loss(to, source, PAIRS).mean(), (to, source))
    assert all(one.abs().sum() > 0 for one in found)


@pytest.mark.parametrize(
    ("loss", "source"), [(Contrast(), None), (MutualContrast(), embeddings(1))], ids=["vcl", "icl"]
)
@pytest.mark.parametrize("num_samples", [1, 6])
def test_a_batch_without_two_of_a_class_costs_nothing(
    loss: Transfer, source: Tensor | None, num_samples: int
) -> None:
    to = embeddings(0)[:num_samples].requires_grad_()
    its = None if source is None else source[:num_samples]
    cost = loss.loss(to, its, ALL_ALONE[:num_samples]).mean()
    (gradient,) = torch.autograd.grad(cost, to)
    assert float(cost.detach()) == 0
    assert not gradient.any()


@pytest.mark.parametrize("kind", [Contrast, MutualContrast, SoftContrast, SoftMutualContrast])
def test_a_tau_that_is_not_above_zero_is_refused(kind: type[Contrast]) -> None:
    with pytest.raises(ConfigError, match="tau divides logits"):
        kind(tau=0.0)
