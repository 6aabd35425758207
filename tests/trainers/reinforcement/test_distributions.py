"""Distributions of actions, against torch's."""

import pytest
import torch
from torch.distributions import (
    Categorical as TorchCategorical,
    Independent,
    Normal,
    TanhTransform,
    TransformedDistribution,
)

from evonas_trainers.reinforcement.distributions import (
    Categorical,
    Distribution,
    Gaussian,
    Squashed,
    log_slope,
)

LOGITS = torch.tensor([[0.0, 1.0, -2.0], [3.0, 3.0, 0.0]])
OUTPUTS = torch.tensor([[0.5, -1.0, -0.5, 0.2], [0.0, 2.0, 0.0, -1.0]])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal() -> "Independent[Normal]":
    mean, log_deviation = OUTPUTS.chunk(2, -1)
    return Independent(Normal(mean, log_deviation.exp()), 1)


def test_a_choice_has_the_probability_and_entropy_that_torch_gives_it() -> None:
    mine, theirs = Categorical(LOGITS), TorchCategorical(logits=LOGITS)
    for choice in range(3):
        chosen = torch.full((2,), choice)
        assert torch.allclose(mine.log_prob(chosen), theirs.log_prob(chosen))
    assert torch.allclose(mine.entropy(), theirs.entropy())
    assert torch.equal(mine.mode[:1], torch.tensor([1]))


def test_choices_come_as_often_as_their_probability_says() -> None:
    drawn = Categorical(LOGITS[0].expand(20_000, 3)).sample(generator())
    shares = torch.bincount(drawn, minlength=3) / 20_000
    assert torch.allclose(shares, LOGITS[0].softmax(0), atol=0.01)


def test_a_gaussian_has_the_density_and_entropy_that_torch_gives_it() -> None:
    mine, actions = Gaussian.of(OUTPUTS), torch.tensor([[0.3, 0.1], [-1.0, 2.5]])
    assert torch.allclose(mine.log_prob(actions), normal().log_prob(actions))
    assert torch.allclose(mine.entropy(), normal().entropy())
    assert torch.equal(mine.mode, OUTPUTS[:, :2])


def test_a_gaussian_draws_with_its_mean_and_deviation() -> None:
    drawn = Gaussian.of(OUTPUTS[0].expand(20_000, 4)).sample(generator())
    assert torch.allclose(drawn.mean(0), OUTPUTS[0, :2], atol=0.03)
    assert torch.allclose(drawn.std(0), OUTPUTS[0, 2:].exp(), atol=0.03)


def test_no_output_makes_a_deviation_infinite_or_zero() -> None:
    wild = Gaussian.of(torch.tensor([[0.0, 0.0, 1e4, -1e4]]))
    assert wild.sample(generator()).isfinite().all()
    assert (wild.log_deviation.exp() > 0).all()


def test_a_squashed_draw_has_the_density_that_torch_gives_it() -> None:
    actions, log_probs = Squashed.of(OUTPUTS).sample(generator())
    theirs = TransformedDistribution(normal(), [TanhTransform()])
    assert (actions.abs() < 1).all()
    assert torch.allclose(log_probs, theirs.log_prob(actions), atol=1e-5)
    assert torch.equal(Squashed.of(OUTPUTS).mode, OUTPUTS[:, :2].tanh())


def test_gradients_pass_through_draws_to_mean_and_deviation() -> None:
    outputs = OUTPUTS.clone().requires_grad_()
    actions, log_probs = Squashed.of(outputs).sample(generator())
    (actions.sum() + log_probs.sum()).backward()
    assert outputs.grad is not None
    assert (outputs.grad != 0).all()


@pytest.mark.parametrize("inner", [0.0, 0.5, -3.0])
def test_the_slope_is_that_of_the_tangent(inner: float) -> None:
    at = torch.tensor(inner, dtype=torch.float64)
    assert torch.isclose(log_slope(at), (1 - at.tanh().square()).log())


def test_the_slope_is_finite_where_the_tangent_is_one() -> None:
    assert torch.isclose(log_slope(torch.tensor(50.0)), torch.tensor(-98.6137))


@pytest.mark.parametrize("distribution", [Categorical(LOGITS), Gaussian.of(OUTPUTS)])
def test_the_generator_alone_decides_what_is_drawn(distribution: Distribution) -> None:
    first, again = (distribution.sample(generator(1)) for _ in range(2))
    assert torch.equal(first, again)
    others = [distribution.sample(generator(seed)) for seed in range(2, 9)]
    assert not all(torch.equal(first, other) for other in others)
