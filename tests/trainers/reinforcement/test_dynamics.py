"""Ensembles of dynamics: members are apart, and fitting keeps the best of each."""

import pytest
import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.dynamics.fitting import (
    Fitting,
    Learner,
    fit,
    judge,
    squared_error,
)
from evonas_trainers.reinforcement.dynamics.network import ACTIVATIONS, Ensemble, Shape
from evonas_trainers.reinforcement.dynamics.scale import Scale


def drawing(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(activation: str = "relu") -> Ensemble:
    return Ensemble(Shape(members=3, width=8, activation=activation), 4, 2, drawing())


def member_by_member(network: Ensemble, rows: Tensor, activation: str) -> Tensor:
    made: list[Tensor] = []
    for member in range(network.shape.members):
        hidden = rows[member]
        for place, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            hidden = ACTIVATIONS[activation](hidden) if place else hidden
            hidden = hidden @ weight[member] + bias[member, 0]
        made.append(hidden)
    return torch.stack(made)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_the_batched_product_is_a_loop_over_members(activation: str) -> None:
    network = small(activation=activation)
    rows = torch.randn(3, 5, 4, generator=drawing(1))
    assert torch.allclose(network(rows), member_by_member(network, rows, activation), atol=1e-6)


def test_a_member_learns_nothing_from_the_rows_of_others() -> None:
    network = small()
    rows = torch.randn(3, 5, 4, generator=drawing(1))
    network(rows)[1].sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad[[0, 2]].abs().max() == 0
    assert network.weights[0].grad is not None
    assert network.weights[0].grad[1].abs().max() > 0


def test_members_start_apart() -> None:
    rows = torch.randn(5, 4, generator=drawing(1))
    first, second, third = small().same(rows)
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)


def test_macs_are_those_of_one_row_through_one_member() -> None:
    assert small().macs == 4 * 8 + 8 * 8 + 8 * 2


def test_what_is_scaled_has_mean_0_and_deviation_1_and_comes_back() -> None:
    rows = torch.randn(50, 3, generator=drawing()) * torch.tensor([1.0, 20.0, 0.0]) + 5
    scale = Scale.of(rows)
    scaled = scale.apply(rows)
    assert scaled.mean(0).abs().max() < 1e-5
    assert torch.allclose(scaled.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5)
    assert torch.allclose(scale.undo(scaled), rows, atol=1e-5)


def curved(num_rows: int = 200) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(num_rows, 4, generator=drawing(2))
    return inputs, torch.stack([inputs[:, 0] * inputs[:, 1], inputs[:, 2].sin()], 1)


def learner(network: Ensemble, rate: float) -> Learner:
    return Learner(network, squared_error, torch.optim.SGD(network.parameters(), rate))


def test_every_member_is_fitted_to_a_curve() -> None:
    network = Ensemble(Shape(members=3, width=32), 4, 2, drawing())
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    inputs, targets = curved(600)
    fitting = Fitting(epochs=60, batch_size=64)
    fitted = fit(Learner(network, squared_error, optimizer), inputs, targets, fitting, drawing())
    assert fitted.losses.shape == (3,)
    assert fitted.losses.max() < 0.1, "predicting the mean has 0.7"


def test_a_member_that_gets_worse_keeps_the_weights_with_which_it_was_best() -> None:
    network, (inputs, targets) = small(), curved()
    fine = learner(network, 0.01)
    found = fit(fine, inputs, targets, Fitting(epochs=3), drawing())
    rough = learner(network, 0.5)
    longer = fit(rough, inputs, targets, Fitting(epochs=30, patience=30), drawing(7))
    valid = torch.randperm(200, generator=drawing(7))[:30]
    assert found.epochs == 3
    assert torch.allclose(judge(rough, inputs[valid], targets[valid]), longer.losses)


def test_fitting_ends_when_no_member_gets_better() -> None:
    still = learner(small(), 0.0)
    fitted = fit(still, *curved(), Fitting(epochs=50, patience=3), drawing())
    assert fitted.epochs == 1 + 3


def test_an_improvement_that_is_too_small_does_not_count() -> None:
    slow = learner(small(), 1e-4)
    fitted = fit(slow, *curved(), Fitting(epochs=50, patience=3, improvement=0.5), drawing())
    assert fitted.epochs == 1 + 3


def test_a_fitting_that_diverges_says_so() -> None:
    with pytest.raises(FloatingPointError, match="losses of the dynamics"):
        fit(learner(small(), 1e30), *curved(), Fitting(), drawing())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"patience": 0}, "1 or more"),
        ({"valid_ratio": 0.0}, "shares"),
        ({"epochs": -1}, "1 or more"),
    ],
)
def test_settings_that_fit_nothing_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Fitting(**settings)  # pyright: ignore[reportArgumentType]


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 rows are too few"):
        fit(learner(small(), 0.1), torch.zeros(3, 4), torch.zeros(3, 2), Fitting(), drawing())


def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'relu'"):
        small(activation="relo")
