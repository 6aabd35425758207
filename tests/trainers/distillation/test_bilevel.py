"""The gradient through virtual steps is that of finite differences, and nothing else moves."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas_trainers.distillation.learning.bilevel import Whole, descend, hyper_gradient


class Toy:
    """A network with a batch norm, and a matcher that weighs its samples."""

    def __init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.network = nn.Sequential(
                nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)
            ).double()
            self.matcher = nn.Linear(3, 1).double()
            self.inputs = torch.randn(6, 3, dtype=torch.double)
            self.targets = torch.randn(2, 6, 2, dtype=torch.double)
        self.matcher.requires_grad_(False)
        self.whole = Whole([self.network, self.matcher])

    def inner(self) -> Tensor:
        return inner_loss(self.network, self.matcher, self.inputs, self.targets[0])

    def outer(self) -> Tensor:
        return F.mse_loss(self.network(self.inputs), self.targets[1])

    def gradient(self, steps: int) -> list[Tensor]:
        matchers = list(self.matcher.parameters())
        return hyper_gradient(self.whole, matchers, self.inner, self.outer, steps=steps, rate=0.3)


def inner_loss(network: nn.Module, matcher: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    weights = torch.sigmoid(matcher(inputs).squeeze(1))
    return (weights * (network(inputs) - targets).square().sum(1)).mean()


def outcome(toy: Toy, steps: int) -> float:
    """Take the steps for real, by an optimizer, and return the outer loss at their end."""
    optimizer = torch.optim.SGD(toy.network.parameters(), lr=0.3)
    for loss in [toy.inner] * steps + [toy.outer]:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    return toy.outer().item()


def difference(place: int, steps: int, width: float = 1e-4) -> float:
    """Return the change of the outcome by one of the matcher's weights, by differences."""
    found: list[float] = []
    for move in (2 * width, width, -width, -2 * width):
        toy = Toy()
        toy.matcher.weight.data[0, place] += move
        found.append(outcome(toy, steps))
    return (-found[0] + 8 * found[1] - 8 * found[2] + found[3]) / (12 * width)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_gradient_through_virtual_steps_is_that_of_finite_differences(steps: int) -> None:
    weight, _ = Toy().gradient(steps)
    expected = [difference(place, steps) for place in range(3)]
    assert weight.flatten().tolist() == pytest.approx(expected, rel=1e-6)


def tensors(toy: Toy) -> Sequence[Tensor]:
    return [tensor.clone() for tensor in toy.whole.state_dict().values()]


def test_virtual_steps_leave_parameters_buffers_and_gradients_alone() -> None:
    toy = Toy()
    before = tensors(toy)
    toy.gradient(2)
    assert all(map(torch.equal, before, tensors(toy)))
    assert all(one.grad is None for one in toy.whole.parameters())


def test_matchers_that_descend_lead_to_a_better_outcome() -> None:
    toy = Toy()
    before = outcome(Toy(), 2)
    descend(list(toy.matcher.parameters()), toy.gradient(2), rate=0.1)
    assert outcome(toy, 2) < before
