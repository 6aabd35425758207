"""Batches in parts: what is learned from them together is what a whole batch teaches."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas import seeds
from evonas.genome.schedule import Schedule
from evonas.pruning_plan import PlannedGroup, PruningPlan
from evonas.trainer import Context
from evonas_trainers.augment import Augment
from evonas_trainers.run import task_loss
from evonas_trainers.slots import Batch
from evonas_trainers.supervised import Supervised


def batch(size: int, share: float = 1.0) -> Batch:
    draws = torch.Generator().manual_seed(size)
    inputs = torch.randn(size, 5, dtype=torch.float64, generator=draws)
    targets = torch.randint(3, (size,), generator=draws)
    return Batch(inputs, targets, torch.arange(size), share)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Tensor]:
    """Noisy pictures of three classes, 90 of them to train on."""
    rng = seeds.stream(0, "pictures")
    y = np.arange(150) % 3
    x = rng.normal(0, 1, (150, 6, 6)) + y[:, None, None]
    path: Path = tmp_path_factory.mktemp("data") / "pictures.npz"
    np.savez(path, x=x, y=y)
    return Supervised(data=str(path)).prepare(0)


def network(norm: nn.Module) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), norm, nn.ReLU(), nn.Flatten(), nn.Linear(288, 3)
        )


def trained(
    prepared: Mapping[str, Tensor], trainer: Supervised, model: nn.Module, context: Context
) -> list[Tensor]:
    trainer.train(model, replace(context, prepared=prepared))
    return [parameter.detach() for parameter in model.parameters()]


def context(parts: int, pruning: PruningPlan | None = None) -> Context:
    return Context(
        torch.device("cpu"),
        torch.float32,
        0,
        {},
        None,
        lambda *_, **__: None,
        pruning,
        parts=parts,
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 64])
@pytest.mark.parametrize("number", [1, 2, 3, 50])
def test_the_parts_hold_every_sample_once_and_none_is_alone(size: int, number: int) -> None:
    parts = list(batch(size).parts(number))
    index = torch.cat([part.index for part in parts])
    assert sorted(index.tolist()) == list(range(size))
    assert len(parts) == max(1, min(number, size // 2))
    assert min(len(part.targets) for part in parts) >= min(size, 2)
    assert max(len(part.targets) for part in parts) <= size / len(parts) + 3


@pytest.mark.parametrize("size", [7, 8, 64])
@pytest.mark.parametrize("number", [2, 3])
def test_everyone_stays_with_its_partner_in_mixup(size: int, number: int) -> None:
    for part in batch(size, share=0.3).parts(number):
        assert torch.equal(part.index + part.index.flip(0), torch.full_like(part.index, size - 1))


@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("number", [2, 3])
def test_the_gradients_of_the_parts_add_up_to_those_of_the_whole(number: int, share: float) -> None:
    whole, weight = batch(31, share), torch.ones(5, 3, dtype=torch.float64, requires_grad=True)

    def gradient(part: Batch) -> Tensor:
        loss = task_loss(part.inputs @ weight, part, 0.1)
        return torch.autograd.grad(loss, weight)[0] * len(part.targets) / len(whole.targets)

    summed = sum(gradient(part) for part in whole.parts(number))
    torch.testing.assert_close(summed, gradient(whole), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_without_batch_norms_a_training_in_parts_ends_where_a_whole_one_does(
    prepared: Mapping[str, Tensor], mixup: float
) -> None:
    augment = Augment(pad=1, flip=True, mixup=mixup)
    trainer = Supervised(data="", epochs=2, batch_size=31, augment=augment, max_norm=1.0)
    whole, parts, other = (
        trained(prepared, one, network(nn.GroupNorm(2, 8)), context(number))
        for one, number in ((trainer, 1), (trainer, 3), (replace(trainer, batch_size=16), 1))
    )
    for one, another in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, another, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole[0], other[0], rtol=1e-2), "as many steps as of whole batches"


@pytest.mark.parametrize("rule", ["soft", "straight-through", "dual-path"])
def test_pruning_takes_a_batch_in_parts_for_one_step(
    prepared: Mapping[str, Tensor], rule: str
) -> None:
    channels = np.arange(8)[:, None]
    group = PlannedGroup(
        name="0",
        size=8,
        keep=4,
        weights={"0.weight": channels},
        rows={"0.weight": channels, "0.bias": channels},
        norms=(),
        columns={"4.weight": np.arange(288).reshape(8, 36)},
    )
    plan = PruningPlan(
        schedule=Schedule(rule={"name": rule}, interval=2),
        groups=(group,),
        compacted=lambda state: (network(nn.Identity()), state),
    )
    trainer = Supervised(data="", epochs=2, batch_size=31)
    whole, parts = (
        trained(prepared, trainer, network(nn.Identity()), context(number, plan))
        for number in (1, 3)
    )
    assert (whole[0].abs().sum(dim=(1, 2, 3)) == 0).sum() == 4
    for one, another in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, another, rtol=1e-3, atol=1e-5)
