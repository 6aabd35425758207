"""The critic is Lipschitz after clipping, and costs what is said."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from evonas import measure
from evonas.models import fresh_model
from evonas.morph.modules import Lerp, Scale
from evonas.networks import named
from evonas_spaces.sde import Sde
from evonas_trainers.generative.sde import gan
from evonas_trainers.generative.sde.equation import Grid
from evonas_trainers.generative.sde.gan import Adversaries, Gan
from evonas_trainers.generative.sde.learner import Networks, Paths, Setting, Shape

SHAPE = Shape(hidden=6, noise=3, noise_type="general", start_noise=2, observations=5, channels=2)
PATHS = Paths(solver="reversible_heun", grid=Grid(5, 1))


def networks(seed: int = 0, shape: Shape = SHAPE) -> Networks:
    wanted = gan.signatures(shape)
    return named(fresh_model(Sde(), Sde().seed(wanted), seed), wanted)


def learner(of: Networks, players: Adversaries) -> Gan:
    return Gan(of, Setting(shape=SHAPE, paths=PATHS, optimizer="adam", seed=0), players)


@pytest.mark.parametrize("name", gan.CRITIC)
def test_after_clipping_no_layer_stretches_the_1_norm(name: str) -> None:
    of = networks()
    for parameter in of[name].parameters():
        nn.init.normal_(parameter, std=3.0)
    gan.clip(of)
    torch.manual_seed(0)
    inputs = gan.signatures(SHAPE)[name].inputs
    one, other = torch.randn(2, 500, *inputs)
    with torch.no_grad():
        stretch = (of[name](one) - of[name](other)).abs().sum(1) / (one - other).abs().sum(1)
    assert float(stretch.max()) <= 1.0


def test_clipped_gates_lead_from_one_end_to_the_other_and_not_beyond() -> None:
    of = dict(networks())
    gate, scale = Lerp(6), Scale(6)
    of["critic_initial"] = nn.ModuleList([gate, scale])
    nn.init.constant_(gate.scale, -3.0)
    nn.init.constant_(scale.scale, -3.0)
    gan.clip(of)
    assert gate.scale.unique().tolist() == [0.0]
    assert scale.scale.unique().tolist() == [-1.0]


def test_every_step_leaves_the_critic_clipped() -> None:
    of = networks()
    learner(of, Adversaries(critic_lr=0.5)).step(torch.randn(8, 5, 2))
    weights = [
        (module.weight, 1 / module.out_features)
        for name in gan.CRITIC
        for module in of[name].modules()
        if isinstance(module, nn.Linear)
    ]
    assert len(weights) == 5
    assert all(float(weight.detach().abs().max()) <= limit * 1.0001 for weight, limit in weights)


def test_a_penalised_critic_is_not_clipped() -> None:
    of = networks()
    learner(of, Adversaries(critic_lr=2.0, lipschitz="penalty")).step(torch.randn(8, 5, 2))
    assert float(of["critic_readout"].get_parameter("head.weight").detach().abs().max()) > 1


def test_the_penalty_is_that_of_a_slope_which_is_known() -> None:
    of = dict(networks())
    torch.manual_seed(0)
    head = nn.Linear(6, 1)
    first = nn.Linear(2, 6)
    of |= {"critic_initial": first, "critic_readout": head}
    of["critic_field"] = _Still(6 * 3)
    real, fake = torch.randn(2, 5, 7, 2)
    slope = (head.weight @ first.weight).norm()
    found = gan.gradient_penalty(of, SHAPE, real, fake, torch.Generator())
    torch.testing.assert_close(found, (slope - 1).square())


class _Still(nn.Module):
    """A field that is zero everywhere."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, given: Tensor) -> Tensor:
        return 0 * given[:, :1].expand(-1, self.outputs)


def test_generator_and_critic_want_the_opposite() -> None:
    """One small step of the one raises what one small step of the other lowers."""
    real = torch.randn(64, 5, 2, generator=torch.Generator().manual_seed(0))

    def preference(of: Networks) -> float:
        with torch.no_grad():
            seed = gan.seeds.integer(0, "paths", 0)
            fake, _ = gan.generated(of, SHAPE, PATHS, 64, seed)
            score = [gan.scores(of, SHAPE, one).mean() for one in (real.transpose(0, 1), fake)]
        return float(score[0] - score[1])

    before, after = preference(networks()), {}
    for mover, players in {
        "critic": Adversaries(lr=1e-9, critic_lr=1e-3, lipschitz="penalty", penalty=0.0),
        "generator": Adversaries(lr=1e-3, critic_lr=1e-9, lipschitz="penalty", penalty=0.0),
    }.items():
        of = networks()
        learner(of, replace(players, weight_decay=0.0)).step(real)
        after[mover] = preference(of)
    assert after["generator"] < before < after["critic"]


@pytest.mark.parametrize("noise_type", ["general", "additive", "scalar", "diagonal"])
def test_series_of_every_kind_of_noise_repeat_with_the_seed(noise_type: str) -> None:
    noise = {"scalar": 1, "diagonal": 6}.get(noise_type, 3)
    shape = replace(SHAPE, noise=noise, noise_type=noise_type)
    of = networks(shape=shape)
    first, again, other = (gan.generated(of, shape, PATHS, 4, seed)[0] for seed in (0, 0, 1))
    assert first.shape == (5, 4, 2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_step_costs_more_with_a_penalty_than_with_clipping() -> None:
    of, wanted = networks(), gan.signatures(SHAPE)
    each = {name: measure.static(of[name], {name: wanted[name]})["macs"] for name in wanted}
    costs = [learner(of, Adversaries(lipschitz=one)).macs(each) for one in ("clip", "penalty")]
    assert 3 * sum(each.values()) < costs[0] < costs[1]
