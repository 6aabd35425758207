"""Latent SDEs: a variational autoencoder whose code is a path.

"Scalable Gradients for Stochastic Differential Equations" (Li, Wong, Chen, Duvenaud, 2020,
https://arxiv.org/abs/2001.01328). Prior and posterior share their diffusion g:

    prior       dZ = prior(t, Z) dt + g(t, Z) o dW,             Z(0) normal
    posterior   dZ = posterior(t, Z, context) dt + g(t, Z) o dW,  Z(0) normal as the encoder says

so that by Girsanov the divergence of their paths is the mean of the integral of |u|^2 / 2, where
u = (posterior - prior) / g. It is solved as one more state, whatever the solver; torchsde's `logqp`
is the same. Series are the readouts with normal noise of a deviation that is given.

Differences from the authors' code: the encoder is a perceptron of the whole series, and its context
the same at all times; the start's prior is the standard normal one; g is a network of the whole
state, whose outputs a sigmoid keeps above 0.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from evonas import seeds
from evonas.errors import ConfigError
from evonas.networks import Signature, Signatures
from evonas_trainers.generative.sde.equation import Equation, Grid
from evonas_trainers.generative.sde.learner import (
    Learner,
    Networks,
    Paths,
    Setting,
    Shape,
    optimizer,
    timed,
)

NETWORKS = ("encoder", "prior", "posterior", "diffusion", "readout")


@final
@dataclass(frozen=True, kw_only=True)
class Coding:
    """How a latent SDE learns.

    Attributes:
        lr: The learning rate.
        weight_decay: Of all weights.
        deviation: Of observations around the readout, in standard deviations of the data.
        divergence: Weight of the divergence from the prior; 1 for a bound of the likelihood.
    """

    lr: float = 1e-2
    weight_decay: float = 0.0
    deviation: float = 0.5
    divergence: float = 1.0

    def __post_init__(self) -> None:
        if min(self.lr, self.deviation) <= 0 or min(self.weight_decay, self.divergence) < 0:
            raise ConfigError(
                "a latent SDE needs lr > 0, deviation > 0, weight_decay >= 0 and divergence >= 0,"
                f" given {self!r}"
            )


def signatures(shape: Shape) -> Signatures:
    """Return the encoder, the fields and the readout."""
    hidden, series = shape.hidden, shape.observations * shape.channels
    return {
        "encoder": Signature((series,), (3 * hidden,)),
        "prior": Signature((1 + hidden,), (hidden,)),
        "posterior": Signature((1 + 2 * hidden,), (hidden,)),
        "diffusion": Signature((1 + hidden,), (hidden,)),
        "readout": Signature((hidden,), (shape.channels,)),
    }


def diffusion(networks: Networks, given: Tensor) -> Tensor:
    """Return g, between 0 and 1."""
    return torch.sigmoid(networks["diffusion"](given))


def posterior(networks: Networks, grid: Grid, size: int) -> Equation:
    """Return the equation of Z (of so many numbers), of its context, and of the divergence."""

    def fields(time: float, state: Tensor) -> tuple[Tensor, Tensor]:
        z, context = state[:, :size], state[:, size : 2 * size]
        given = timed(time, grid.end, z)
        g = diffusion(networks, given)
        moved = networks["posterior"](torch.cat([given, context], 1))
        rate = ((moved - networks["prior"](given)) / g).square().sum(1, keepdim=True) / 2
        still = torch.zeros_like(context)
        return torch.cat([moved, still, rate], 1), torch.cat([g, still, torch.zeros_like(rate)], 1)

    names = ("posterior", "prior", "diffusion")
    parameters = [one for name in names for one in networks[name].parameters()]
    return Equation(fields, "diagonal", parameters)


def encoded(networks: Networks, paths: Paths, series: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return readouts (observations, batch, channels) and divergences (batch,) of the posterior."""
    mean, spread, context = networks["encoder"](series.flatten(1)).chunk(3, dim=1)
    deviation = F.softplus(spread) + 1e-4
    draws = torch.Generator(series.device).manual_seed(seeds.integer(seed, "start"))
    drawn = torch.randn(mean.shape, generator=draws, device=series.device)
    start = torch.cat([mean + deviation * drawn, context, torch.zeros_like(mean[:, :1])], 1)
    size = mean.shape[1]
    equation = posterior(networks, paths.grid, size)
    states = paths.solved(equation, start, start.shape[1], seeds.integer(seed, "noise"))
    readouts = networks["readout"](states[..., :size].flatten(0, 1)).unflatten(0, states.shape[:2])
    at_start = (mean.square() + deviation.square() - 1).sum(1) / 2 - deviation.log().sum(1)
    return readouts, at_start + states[-1, :, -1]


def drawn(
    networks: Networks, shape: Shape, paths: Paths, count: int, seed: int
) -> tuple[Tensor, int]:
    """Return readouts (observations, count, channels) of the prior, and evaluations of fields."""

    def fields(time: float, state: Tensor) -> tuple[Tensor, Tensor]:
        given = timed(time, paths.grid.end, state)
        return networks["prior"](given), diffusion(networks, given)

    device = next(networks["prior"].parameters()).device
    draws = torch.Generator(device).manual_seed(seeds.integer(seed, "start"))
    start = torch.randn(count, shape.hidden, generator=draws, device=device)
    equation = Equation(fields, "diagonal")
    states = paths.solved(equation, start, shape.hidden, seeds.integer(seed, "noise"))
    readouts = networks["readout"](states.flatten(0, 1)).unflatten(0, states.shape[:2])
    return readouts, equation.evaluations


@final
class Latent(Learner):
    """A latent SDE, learning the bound of its likelihood."""

    def __init__(self, networks: Networks, setting: Setting, coding: Coding) -> None:
        self._networks, self._coding = networks, coding
        self._shape, self._paths, self._seed = setting.shape, setting.paths, setting.seed
        self._steps = 0
        chosen = [networks[name] for name in NETWORKS]
        self._optimizer = optimizer(setting.optimizer, coding.lr, coding.weight_decay, chosen)

    @property
    def optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        """The one of all networks."""
        return (self._optimizer,)

    def step(self, series: Tensor) -> Tensor:
        """Move once; return the loss."""
        seed = seeds.integer(self._seed, "paths", self._steps)
        self._steps += 1
        surprise, divergence = self._parts(series, seed)
        loss = surprise + self._coding.divergence * divergence
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def generate(self, count: int, seed: int) -> tuple[Tensor, int]:
        """Return new series with the noise of observations, and the evaluations of fields."""
        series, evaluations = drawn(self._networks, self._shape, self._paths, count, seed)
        draws = torch.Generator(series.device).manual_seed(seeds.integer(seed, "observed"))
        noise = torch.randn(series.shape, generator=draws, device=series.device)
        return (series + self._coding.deviation * noise).transpose(0, 1), evaluations

    def measured(self, series: Tensor, seed: int) -> Mapping[str, float]:
        """Return `loss`, in which the divergence weighs 1, and `divergence`: nats a number."""
        surprise, divergence = self._parts(series, seed)
        return {"loss": float(surprise + divergence), "divergence": float(divergence)}

    def macs(self, each: Mapping[str, float]) -> float:
        """Return the multiply-accumulates of one series."""
        fields = each["posterior"] + each["prior"] + each["diffusion"]
        ends = 3 * (each["encoder"] + self._shape.observations * each["readout"])
        return self._paths.work * fields + ends

    def _parts(self, series: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Return surprise and divergence, nats an observed number."""
        readouts, divergence = encoded(self._networks, self._paths, series, seed)
        apart = (series.transpose(0, 1) - readouts) / self._coding.deviation
        surprise = apart.square().mean() / 2 + math.log(self._coding.deviation)
        surprise = surprise + math.log(2 * math.pi) / 2
        return surprise, divergence.mean() / (series.shape[1] * series.shape[2])
