"""A probabilistic ensemble: its likelihood, its bounds, its elites, and what it disagrees about."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.dynamics.fitting import Fitting
from evonas_trainers.reinforcement.dynamics.gaussian import (
    EnsembleSettings,
    ProbabilisticEnsemble,
    disagreement,
    likelihood_losses,
    softly_bounded,
)
from evonas_trainers.reinforcement.dynamics.network import Shape

CPU = torch.device("cpu")


def drawing(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ensemble(members: int = 3, elites: int = 2, epochs: int = 30) -> ProbabilisticEnsemble:
    settings = EnsembleSettings(
        shape=Shape(members=members, width=16, depth=2, activation="silu"),
        elites=elites,
        lr=3e-3,
        fitting=Fitting(
            epochs=epochs, patience=5, improvement=0.01, batch_size=64, valid_ratio=0.2
        ),
    )
    return ProbabilisticEnsemble(2, 2, settings, drawing(1), CPU)


def noisy_rows(number: int = 400) -> tuple[Tensor, Tensor]:
    """Return inputs, and outputs of which the second is ten times the first's noise alone."""
    inputs = torch.rand(number, 2, generator=drawing(2)) * 2 - 1
    noise = torch.randn(number, 2, generator=drawing(3))
    signal = torch.stack((inputs.sum(1), torch.zeros(number)), dim=1)
    return inputs, signal + noise * torch.tensor([0.1, 1.0])


def test_the_loss_is_twice_the_negative_log_likelihood() -> None:
    means, logs, targets = torch.randn(3, 2, 7, 4, generator=drawing())
    found = likelihood_losses(means, logs, targets)
    plain = -2 * Normal(means, (logs / 2).exp()).log_prob(targets) - math.log(2 * math.pi)
    assert torch.allclose(found, plain.mean((1, 2)), atol=1e-5)


def test_log_variances_stay_between_their_bounds() -> None:
    raw, lowest, highest = torch.linspace(-100, 100, 401), torch.tensor(-10.0), torch.tensor(0.5)
    bounded = softly_bounded(raw, lowest, highest)
    assert bounded.min() >= -10
    assert bounded.max() <= 0.5 + 1e-4, "the lower bound lifts the upper one a little"
    assert (bounded.diff() >= 0).all()
    assert torch.allclose(bounded[195:198], raw[195:198], atol=0.2), "far from both, nothing"


def test_a_log_variance_at_its_bound_can_still_come_back() -> None:
    raw = torch.tensor([-15.0, 5.0], requires_grad=True)
    softly_bounded(raw, torch.tensor(-10.0), torch.tensor(0.5)).sum().backward()
    assert raw.grad is not None
    assert (raw.grad > 1e-3).all()


def test_equal_members_do_not_disagree() -> None:
    means = torch.randn(5, 3, generator=drawing()).expand(4, 5, 3)
    assert disagreement(means).abs().max() < 1e-6


def test_disagreement_is_the_mean_deviation_of_the_members() -> None:
    means = torch.tensor([[[0.0, 1.0]], [[2.0, 1.0]]])
    assert disagreement(means).tolist() == pytest.approx([0.5])


def test_a_single_member_disagrees_with_nobody() -> None:
    inputs = torch.randn(6, 2, generator=drawing())
    _, apart = ensemble(members=1).sample(inputs, drawing())
    assert apart.tolist() == [0.0] * 6


def test_fitting_finds_the_signal_and_tells_noise_apart() -> None:
    found, (inputs, outputs) = ensemble(epochs=100), noisy_rows(2000)
    found.fit(inputs, outputs, drawing())
    grid = torch.rand(200, 2, generator=drawing(9)) * 1.6 - 0.8
    with torch.no_grad():
        means, logs = found(grid)
    deviation = outputs.std(0, correction=0)
    learned = means.mean(0)[:, 0] * deviation[0] + outputs.mean(0)[0]
    assert (learned - grid.sum(1)).abs().mean() < 0.1
    noise = (logs / 2).exp().mean((0, 1)) * deviation
    assert noise[0] < 0.3
    assert 0.7 < noise[1] < 1.4


def test_elites_are_the_best_on_what_was_held_out() -> None:
    found, rows = ensemble(members=4, elites=2, epochs=3), noisy_rows()
    fitted = found.fit(*rows, drawing())
    assert found.elites.tolist() == fitted.losses.argsort()[:2].tolist()
    assert min(fitted.losses) >= 0, "judged by squared errors, not by the likelihood"


def test_only_elites_imagine() -> None:
    found = ensemble(members=4, elites=1)
    found.elites.fill_(2)
    with torch.no_grad():
        found.highest.fill_(-30.0)
        found.lowest.fill_(-31.0)
        inputs = torch.randn(9, 2, generator=drawing())
        outputs, _ = found.sample(inputs, drawing())
        assert torch.allclose(outputs, found(inputs)[0][2], atol=1e-4)


def test_more_elites_than_members_are_all_members() -> None:
    assert ensemble(members=2, elites=5).elites.tolist() == [0, 1]


def test_later_layers_decay_more() -> None:
    found = ensemble()
    decays = [group["weight_decay"] for group in found.optimizer.param_groups]
    assert decays == pytest.approx([0.0, 1e-4 / 3, 2e-4 / 3, 1e-4])


def test_members_disagree_less_where_they_have_learned() -> None:
    found, (inputs, outputs) = ensemble(members=4, elites=4, epochs=100), noisy_rows()
    found.fit(inputs, outputs, drawing())
    with torch.no_grad():
        _, inside = found.sample(inputs, drawing())
        _, outside = found.sample(inputs * 5, drawing())
    assert outside.median() > 3 * inside.median()


def test_an_ensemble_of_the_same_state_predicts_the_same() -> None:
    found, rows = ensemble(epochs=2), noisy_rows()
    found.fit(*rows, drawing())
    other = ensemble()
    other.load_state_dict(found.state_dict())
    drawn = [one.sample(rows[0], drawing(5)) for one in (found, other)]
    assert all(torch.equal(mine, its) for mine, its in zip(*drawn, strict=True))


def test_an_ensemble_without_elites_is_refused() -> None:
    with pytest.raises(ConfigError, match="elites >= 1"):
        EnsembleSettings(elites=0)
