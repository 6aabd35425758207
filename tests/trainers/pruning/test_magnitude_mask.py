"""Masked filters are exactly zero, the weakest ones, and removing them changes nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas import plugins, seeds
from evonas.errors import ConfigError
from evonas.trainer import Context
from evonas_trainers.pruning.filters import removable_filters
from evonas_trainers.pruning.magnitude_mask import MagnitudeMask, num_pruned
from evonas_trainers.supervised import Supervised


def context(prepared: Mapping[str, Tensor]) -> Context:
    return Context(torch.device("cpu"), torch.float32, 0, prepared, None, lambda *_, **__: None)


def network(first: int = 10, second: int = 8) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(1, first, 3, padding=1),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.BatchNorm2d(second),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * second, 3),
        )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of noise."""
    rng = seeds.stream(0, "pictures")
    path: Path = tmp_path_factory.mktemp("data") / "pictures.npz"
    np.savez(path, x=rng.normal(0, 1, (150, 6, 6)), y=np.arange(150) % 3)
    return str(path)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_half_of_the_filters_and_of_their_norms_are_exactly_zero(
    pictures: str, optimizer: str
) -> None:
    pruning = MagnitudeMask(rate=0.5, every=3)
    trainer = Supervised(data=pictures, epochs=4, batch_size=16, pruning=pruning)
    trainer = plugins.with_settings(trainer, {"optimizer.name": optimizer})
    state = trainer.train(network(), context(trainer.prepare(0))).state
    assert state is not None
    zeros = (state.tensors["0.weight"] == 0).flatten(1).all(1)
    assert zeros.sum() == 5
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(state.tensors[name] == 0, zeros)


def test_removing_what_is_masked_computes_the_same(pictures: str) -> None:
    pruning = MagnitudeMask(rate=0.5, every=3)
    trainer = Supervised(data=pictures, epochs=4, batch_size=16, pruning=pruning)
    model = network()
    trainer.train(model, context(trainer.prepare(0)))
    kept = [(model.get_parameter(f"{n}.weight") != 0).nonzero().squeeze(1) for n in (1, 4)]
    small = network(5, 4)
    small.load_state_dict(_sliced(model.state_dict(), *kept))
    inputs = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(small.eval()(inputs), model.eval()(inputs), rtol=1e-5, atol=1e-5)


def _sliced(tensors: Mapping[str, Tensor], first: Tensor, second: Tensor) -> dict[str, Tensor]:
    """Take the kept filters of the two convolutions and of all that belongs to them."""
    found = {
        name: tensor[first if name[0] in "01" else second]
        if tensor.ndim and name[0] != "8"
        else tensor
        for name, tensor in tensors.items()
    }
    found["3.weight"] = found["3.weight"][:, first]
    found["8.weight"] = tensors["8.weight"][:, (second[:, None] * 4 + torch.arange(4)).flatten()]
    return found


def test_the_weakest_filters_go_first(pictures: str) -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("0.weight")[[2, 7]] *= 0.01
    trainer = Supervised(data=pictures, epochs=1, pruning=MagnitudeMask(rate=0.2, every=1))
    trainer = plugins.with_settings(trainer, {"optimizer.lr": 1e-6})
    trainer.train(model, context(trainer.prepare(0)))
    assert (model.get_parameter("1.weight") == 0).nonzero().squeeze(1).tolist() == [2, 7]


def test_more_and_more_is_pruned_until_the_last_event(pictures: str) -> None:
    seen: list[int] = []
    model = network()

    def note(_step: int, /, **_metrics: float) -> None:
        seen.append(int((model.get_parameter("1.weight") == 0).sum()))

    pruning = MagnitudeMask(rate=0.8, every=1, until=0.6)
    trainer = Supervised(data=pictures, epochs=5, batch_size=16, pruning=pruning)
    trainer.train(model, replace(context(trainer.prepare(0)), report=note))
    assert seen == sorted(seen)
    assert 0 < seen[0] < 8
    assert seen[3:] == [8, 8]


def test_pruning_nothing_changes_nothing(pictures: str) -> None:
    trainer = Supervised(data=pictures, epochs=2)
    prepared = trainer.prepare(0)
    found: list[bytes] = []
    for pruning in (None, MagnitudeMask(rate=0.0, every=1)):
        state = replace(trainer, pruning=pruning).train(network(), context(prepared)).state
        assert state is not None
        found.append(state.to_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("filters", "rate", "expected"),
    [(10, 1 - 0.9, 1), (20, 0.8, 16), (4, 0.999, 3), (1, 0.5, 0), (7, 0.0, 0)],
)
def test_the_number_pruned_is_safe_from_rounding(filters: int, rate: float, expected: int) -> None:
    assert num_pruned(filters, rate) == expected


@pytest.mark.parametrize("fields", [{"rate": 1.0}, {"every": 0}, {"until": 0.0}])
def test_impossible_settings_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="needs"):
        plugins.from_table(MagnitudeMask, fields, "pruning")


class _Reasons(nn.Module):
    """One convolution that can be pruned and, in order, one for every reason why not."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.inner_norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.before_depthwise = nn.Conv2d(4, 4, 1)
        self.depthwise, self.depthwise_norm = nn.Conv2d(4, 4, 1, groups=4), nn.BatchNorm2d(4)
        self.before_late_norm = nn.Conv2d(4, 4, 1)
        self.late_norm = nn.BatchNorm2d(8)
        self.before_sigmoid = nn.Conv2d(8, 4, 1)
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.inner_norm(self.inner(x)))
        x = F.relu(self.depthwise_norm(self.depthwise(self.before_depthwise(x))))
        x = self.late_norm(torch.cat([self.before_late_norm(x), x], 1))
        x = torch.sigmoid(self.before_sigmoid(x))
        return self.last(x).mean((2, 3))


def test_only_filters_whose_zeros_vanish_are_pruned() -> None:
    model = _Reasons()
    found = removable_filters(model)
    assert [filters.convolution for filters in found] == [model.inner]
    assert found[0].norm is model.inner_norm


class _Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_a_model_that_branches_on_values_is_refused() -> None:
    with pytest.raises(ConfigError, match="must not branch on values"):
        removable_filters(_Branching())
