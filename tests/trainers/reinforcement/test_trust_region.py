"""Trust-region steps: the algebra against dense matrices, the step against its two promises."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from evonas import devices
from evonas.errors import ConfigError
from evonas_trainers.reinforcement.distributions import Gaussian
from evonas_trainers.reinforcement.trust_region import (
    SLACK,
    Acted,
    TrustRegion,
    conjugate_gradient,
    divergence,
    fisher_product,
    improve,
    surrogate,
)


def drawing(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def policy(seed: int = 0, width: int = 8) -> nn.Module:
    with devices.seeded(seed, torch.device("cpu")):
        return nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 4))


def acted(model: nn.Module, number: int = 256) -> Acted:
    """Actions, of which those that go with the first number observed are worth the most."""
    observations = torch.randn(number, 3, generator=drawing(1))
    with torch.no_grad():
        actions = Gaussian.of(model(observations)).sample(drawing(2))
    worth = -(actions[:, 0] - observations[:, 0]).square()
    return Acted(observations, actions, (worth - worth.mean()) / worth.std())


def gaussian(seed: int) -> Gaussian:
    return Gaussian(*torch.randn(2, 5, 3, generator=drawing(seed)).unbind())


def test_the_divergence_is_that_of_torch() -> None:
    old, new = gaussian(0), gaussian(1)
    first, second = (
        torch.distributions.Normal(one.mean, one.log_deviation.exp()) for one in (old, new)
    )
    known = torch.distributions.kl_divergence(first, second).sum(-1)
    assert torch.allclose(divergence(old, new), known, atol=1e-5)


def test_a_product_with_the_fisher_matrix_is_that_with_the_dense_one() -> None:
    model = policy(width=3).double()
    parameters = dict(model.named_parameters())
    observations = torch.randn(16, 3, generator=drawing(1)).double()
    start = Gaussian.of(model(observations))
    old = Gaussian(start.mean.detach(), start.log_deviation.detach())

    def outputs(vector: Tensor) -> Tensor:
        parts = vector.split([one.numel() for one in parameters.values()])
        named = {
            name: part.reshape(one.shape)
            for (name, one), part in zip(parameters.items(), parts, strict=True)
        }
        return functional_call(model, named, (observations,))

    at = torch.cat([one.detach().reshape(-1) for one in parameters.values()])
    slopes = torch.autograd.functional.jacobian(outputs, at)  # (batch, outputs, parameters)
    precision = torch.cat(
        [(-2 * old.log_deviation).exp(), torch.full_like(old.mean, 2.0)], -1
    )  # the Fisher matrix of a Gaussian in its mean and log-deviation
    dense = torch.einsum("bop,bo,boq->pq", slopes, precision, slopes) / len(observations)
    product = fisher_product(divergence(old, start).mean(), list(parameters.values()), 0.1)
    vector = torch.randn(len(at), generator=drawing(3)).double()
    assert torch.allclose(product(vector), dense @ vector + 0.1 * vector, rtol=1e-9, atol=1e-12)


def test_conjugate_gradients_solve_what_they_are_given() -> None:
    root = torch.randn(6, 6, generator=drawing(0)).double()
    matrix = root @ root.T + torch.eye(6).double()
    target = torch.randn(6, generator=drawing(1)).double()
    found = conjugate_gradient(lambda vector: matrix @ vector, target, 6)
    assert torch.allclose(found, torch.linalg.solve(matrix, target), atol=1e-8)


@pytest.mark.parametrize("trusted", [0.001, 0.05, 0.5])
def test_a_step_raises_the_surrogate_and_goes_no_further_than_it_may(trusted: float) -> None:
    model = policy()
    done = acted(model)
    with torch.no_grad():
        old = Gaussian.of(model(done.observations))
    step = improve(model, done, TrustRegion(divergence=trusted))
    with torch.no_grad():
        new = Gaussian.of(model(done.observations))
        gain = surrogate(new, old, done) - surrogate(old, old, done)
        moved = divergence(old, new).mean()
    assert 0 < moved <= SLACK * trusted
    assert gain > 0
    assert (step.gain, step.divergence) == pytest.approx((gain.item(), moved.item()), rel=1e-4)


def test_a_small_step_uses_up_the_trusted_divergence() -> None:
    model = policy()
    step = improve(model, acted(model), TrustRegion(divergence=1e-3, damping=0.0))
    assert step.divergence == pytest.approx(1e-3, rel=0.3)


def test_steps_lead_to_actions_that_are_worth_more() -> None:
    model = policy()
    observations = acted(model).observations

    def error() -> float:
        with torch.no_grad():
            return (model(observations)[:, 0] - observations[:, 0]).square().mean().item()

    before = error()
    for _ in range(15):
        improve(model, acted(model), TrustRegion())
    assert error() < before / 4


def test_where_nothing_is_to_be_gained_nothing_moves() -> None:
    model = policy()
    done = acted(model)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    step = improve(model, Acted(done.observations, done.actions, torch.zeros(256)), TrustRegion())
    assert (step.gain, step.divergence) == (0.0, 0.0)
    assert all(map(torch.equal, model.parameters(), before))


def test_an_advantage_that_is_no_number_stops_the_training() -> None:
    model = policy()
    done = acted(model)
    broken = Acted(done.observations, done.actions, torch.full((256,), math.nan))
    with pytest.raises(FloatingPointError, match="gradient of the policy"):
        improve(model, broken, TrustRegion())


@pytest.mark.parametrize(
    "settings", [{"divergence": 0.0}, {"backtracks": 0}, {"shrink": 1.0}, {"damping": -0.1}]
)
def test_a_region_without_steps_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="given"):
        TrustRegion(**settings)  # pyright: ignore[reportArgumentType]
