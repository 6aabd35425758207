"""The divergence of a latent SDE is Girsanov's."""

import math

import torch
import torchsde
from torch import Tensor

from evonas.models import fresh_model
from evonas.networks import named
from evonas_spaces.sde import Sde
from evonas_trainers.generative.sde import latent
from evonas_trainers.generative.sde.brownian import Brownian
from evonas_trainers.generative.sde.equation import Grid
from evonas_trainers.generative.sde.learner import Networks, Paths, Shape, timed
from evonas_trainers.generative.sde.reversible_heun import unrolled

SHAPE = Shape(hidden=3, noise=3, noise_type="diagonal", start_noise=1, observations=5, channels=2)
GRID = Grid(5, 3)
PATHS = Paths(solver="reversible_heun", grid=GRID)


def networks(seed: int = 0) -> dict[str, torch.nn.Module]:
    wanted = latent.signatures(SHAPE)
    return dict(named(fresh_model(Sde(), Sde().seed(wanted), seed).double(), wanted))


class _Posterior(torch.nn.Module):
    """The posterior as torchsde reads it, with a context of zeros."""

    noise_type, sde_type = "diagonal", "stratonovich"

    def __init__(self, of: Networks) -> None:
        super().__init__()
        self.of = of

    def f(self, time: Tensor, z: Tensor) -> Tensor:
        return self.of["posterior"](torch.cat([timed(float(time), GRID.end, z), 0 * z], 1))

    def h(self, time: Tensor, z: Tensor) -> Tensor:
        return self.of["prior"](timed(float(time), GRID.end, z))

    def g(self, time: Tensor, z: Tensor) -> Tensor:
        return latent.diffusion(self.of, timed(float(time), GRID.end, z))


def test_the_divergence_of_paths_is_that_of_torchsde() -> None:
    of = networks()
    torch.manual_seed(0)
    start = torch.randn(4, 3, dtype=torch.float64)
    _, rates = torchsde.sdeint(
        _Posterior(of),
        start,
        torch.arange(5.0, dtype=torch.float64),
        bm=Brownian(GRID, 4, 0, start).motion,
        method="reversible_heun",
        dt=GRID.step,
        logqp=True,
    )
    brownian = Brownian(GRID, 4, 0, start)

    def noise(begin: float, end: float, /) -> Tensor:
        increments = brownian(begin, end)[:, :3]
        return torch.cat([increments, torch.zeros(4, 4, dtype=torch.float64)], 1)

    begun = torch.cat([start, torch.zeros(4, 4, dtype=torch.float64)], 1)
    found = unrolled(latent.posterior(of, GRID, 3), begun, GRID, noise)
    torch.testing.assert_close(found[-1, :, -1], rates.sum(0), rtol=1e-9, atol=1e-12)


def test_an_encoder_that_says_what_the_prior_says_diverges_from_nothing() -> None:
    of = networks()
    with torch.no_grad():
        for parameter in of["encoder"].parameters():
            parameter.zero_()
    bias = of["encoder"].get_parameter("head.bias")
    with torch.no_grad():
        bias[3:6] = math.log(math.e - 1)  # a deviation of 1
    of["posterior"] = _Alike(of["prior"])
    _, divergence = latent.encoded(of, PATHS, torch.zeros(4, 5, 2, dtype=torch.float64), 0)
    assert float(divergence.detach().abs().max()) < 1e-6


class _Alike(torch.nn.Module):
    """The prior, whatever the context."""

    def __init__(self, prior: torch.nn.Module) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, given: Tensor) -> Tensor:
        return self.prior(given[:, :4])
