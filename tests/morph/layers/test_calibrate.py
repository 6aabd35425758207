from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from evonas.genome import Genome
from evonas.morph.calibrate import reestimate
from evonas.state import State

Make = Callable[..., Genome]
Model = Callable[[Genome, State], nn.Module]
Train = Callable[..., State]
Batch = Callable[..., Tensor]


@pytest.fixture
def model(pictures: Make, model_of: Model, train: Train) -> nn.Module:
    genome = pictures()
    return model_of(genome, train(genome))


def test_one_batch_makes_evaluation_agree_with_training_on_it(
    model: nn.Module, pictures: Make, batch_for: Batch
):
    x = batch_for(pictures())
    expected = model.train()(x)
    reestimate(model, [x])
    found = model.eval()(x)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:  # batches are normalised by the biased variance, kept is the unbiased
        assert norm.running_var is not None
        count = 9 * (36 if norm is norms[0] or norm is norms[1] else 9)
        norm.running_var *= (count - 1) / count
    torch.testing.assert_close(model.eval()(x), expected, rtol=1e-9, atol=1e-9)
    assert (found - expected).abs().max() < 0.05


def test_every_batch_counts_alike(model: nn.Module, pictures: Make, batch_for: Batch):
    batches = [batch_for(pictures(), seed) for seed in (1, 2)]
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    means: list[Tensor] = []
    for given in ([batches[0]], [batches[1]], batches):
        reestimate(model, given)
        assert norm.running_mean is not None
        means.append(norm.running_mean.clone())
    torch.testing.assert_close(means[2], (means[0] + means[1]) / 2)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("momentum", [None, 0.3])
def test_modes_and_momenta_are_left_as_they_were(
    training: bool, momentum: float | None, model: nn.Module, pictures: Make, batch_for: Batch
):
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    norm.momentum = momentum
    model.train(training)
    reestimate(model, [batch_for(pictures())])
    assert norm.momentum == momentum
    assert {module.training for module in model.modules()} == {training}


def test_modes_are_restored_after_an_error(model: nn.Module):
    model.train()
    with pytest.raises(RuntimeError):
        reestimate(model, [torch.zeros(2, 7, 7, 7, dtype=torch.float64)])
    assert all(module.training for module in model.modules())


def test_no_batch_changes_nothing(model: nn.Module):
    before = State.of(model)
    reestimate(model, [])
    after = State.of(model)
    assert all(torch.equal(before.tensors[name], after.tensors[name]) for name in before.tensors)


def test_without_batch_norm_no_batch_is_drawn():
    def batches():
        pytest.fail("a batch was drawn")
        yield torch.zeros(1)

    reestimate(nn.Linear(1, 1), batches())


def test_only_statistics_change(model: nn.Module, pictures: Make, batch_for: Batch):
    before = State.of(model)
    reestimate(model, [batch_for(pictures())])
    after = State.of(model)
    changed = {n for n, t in before.tensors.items() if not torch.equal(t, after.tensors[n])}
    assert changed
    assert all("running" in name or "tracked" in name for name in changed)
