"""Neural SDEs as generative adversarial networks: a generator SDE against a critic CDE.

"Neural SDEs as Infinite-Dimensional GANs" (Kidger, Foster, Li, Oberhauser, Lyons, 2021,
https://arxiv.org/abs/2102.03657), trained as in "Efficient and Accurate Gradients for Neural SDEs"
(Kidger, Foster, Li, Lyons, 2021, https://arxiv.org/abs/2105.13493):

    generator   X(0) = initial(V),  dX = drift dt + diffusion o dW,  Y = readout(X)
    critic      H(0) = critic_initial(Y(0)),  dH = critic_field(t, H) d(t, Y),
                score = critic_readout(H(T))

The critic maximises mean score of real series - mean score of generated ones, the generator the
latter; both move at once, after one pass back through both. The critic must be Lipschitz. Either
its weights are clipped to 1 / outputs after every step (`clip`): then no column of absolute values
sums to more than 1, and with LipSwish and tanh no layer stretches distances in the 1-norm. Or the
norm of its gradient is pulled to 1 between real and generated series (`penalty`: "Improved Training
of Wasserstein GANs", Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028).

Differences from the authors' code: Adam without much momentum is the default beside Adadelta, which
needs thousands of steps; the critic goes one step of reversible Heun from observation to
observation with its tape kept, since the penalty differentiates twice; fields get time as a share
of the whole; gates and scales that mutations insert are clipped, too: to [0, 1] and [-1, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor, nn

from evonas import seeds
from evonas.errors import ConfigError
from evonas.morph.modules import Lerp, Scale
from evonas.networks import Signature, Signatures
from evonas_trainers.generative.sde import reversible_heun
from evonas_trainers.generative.sde.brownian import Along
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

GENERATOR = ("initial", "drift", "diffusion", "readout")
CRITIC = ("critic_initial", "critic_field", "critic_readout")

Lipschitz = Literal["clip", "penalty"]
_TINY = 1e-12  # a root has no derivative at 0


@final
@dataclass(frozen=True, kw_only=True)
class Adversaries:
    """How generator and critic learn.

    Attributes:
        lr: The generator's learning rate.
        critic_lr: The critic's.
        weight_decay: Of both.
        lipschitz: What bounds the critic's slope.
        penalty: Weight of the gradient penalty.
    """

    lr: float = 1e-3
    critic_lr: float = 1e-2
    weight_decay: float = 0.01
    lipschitz: Lipschitz = "clip"
    penalty: float = 10.0

    def __post_init__(self) -> None:
        if min(self.lr, self.critic_lr) <= 0 or min(self.weight_decay, self.penalty) < 0:
            raise ConfigError(
                "adversaries need lr > 0, critic_lr > 0, weight_decay >= 0 and penalty >= 0,"
                f" given {self!r}"
            )


def signatures(shape: Shape) -> Signatures:
    """Return the generator's networks, and the critic's."""
    hidden, channels = shape.hidden, shape.channels
    diffusion = shape.hidden * (1 if shape.noise_type == "diagonal" else shape.noise)
    return {
        "initial": Signature((shape.start_noise,), (hidden,)),
        "drift": Signature((1 + hidden,), (hidden,)),
        "diffusion": Signature((shape.diffusion_inputs,), (diffusion,)),
        "readout": Signature((hidden,), (channels,)),
        "critic_initial": Signature((channels,), (hidden,)),
        "critic_field": Signature((1 + hidden,), (hidden * (1 + channels),)),
        "critic_readout": Signature((hidden,), (1,)),
    }


def generated(
    networks: Networks, shape: Shape, paths: Paths, count: int, seed: int
) -> tuple[Tensor, int]:
    """Return series (observations, count, channels), and the evaluations of fields they took."""

    def fields(time: float, state: Tensor) -> tuple[Tensor, Tensor]:
        given = timed(time, paths.grid.end, state)
        diffusion = networks["diffusion"](given[:, : shape.diffusion_inputs])
        return networks["drift"](given), diffusion.unflatten(1, shape.diffusion_outputs)

    device = next(networks["initial"].parameters()).device
    draws = torch.Generator(device).manual_seed(seeds.integer(seed, "start"))
    drawn = torch.randn(count, shape.start_noise, generator=draws, device=device)
    parameters = [p for name in ("drift", "diffusion") for p in networks[name].parameters()]
    equation = Equation(fields, shape.noise_type, parameters)
    start = networks["initial"](drawn)
    states = paths.solved(equation, start, shape.noise, seeds.integer(seed, "noise"))
    series = networks["readout"](states.flatten(0, 1)).unflatten(0, states.shape[:2])
    return series, equation.evaluations


def scores(networks: Networks, shape: Shape, series: Tensor) -> Tensor:
    """Return the critic's score of each series (observations, batch, channels)."""
    grid = Grid(shape.observations)

    def fields(time: float, state: Tensor) -> tuple[Tensor, Tensor]:
        given = networks["critic_field"](timed(time, grid.end, state))
        both = given.unflatten(1, (shape.hidden, 1 + shape.channels))
        return both[:, :, 0], both[:, :, 1:]

    start = networks["critic_initial"](series[0])
    states = reversible_heun.unrolled(Equation(fields, "general"), start, grid, Along(series))
    return networks["critic_readout"](states[-1])[:, 0]


def clip(networks: Networks) -> None:
    """Bound the slope of the critic's layers, in place."""
    with torch.no_grad():
        for module in (one for name in CRITIC for one in networks[name].modules()):
            match module:
                case nn.Linear():
                    limit = 1.0 / module.out_features
                    module.weight.clamp_(-limit, limit)
                case Lerp():
                    module.scale.clamp_(0.0, 1.0)
                case Scale():
                    module.scale.clamp_(-1.0, 1.0)
                case _:
                    pass


def gradient_penalty(
    networks: Networks, shape: Shape, real: Tensor, fake: Tensor, draws: torch.Generator
) -> Tensor:
    """Return how far the slope of the critic is from 1 between real and generated series."""
    drawn = torch.rand(1, real.shape[1], 1, generator=draws, device=real.device)
    between = torch.lerp(fake.detach(), real, drawn).requires_grad_()
    total = scores(networks, shape, between).sum()
    (slope,) = torch.autograd.grad(total, between, create_graph=True)
    norm = (slope.square().sum((0, 2)) + _TINY).sqrt()
    return (norm - 1).square().mean()


@final
class Gan(Learner):
    """Generator and critic, moving at once."""

    def __init__(self, networks: Networks, setting: Setting, players: Adversaries) -> None:
        self._networks, self._players = networks, players
        self._shape, self._paths, self._seed = setting.shape, setting.paths, setting.seed
        self._steps = 0
        device = next(networks["initial"].parameters()).device
        self._draws = torch.Generator(device).manual_seed(seeds.integer(setting.seed, "between"))
        self._optimizers = tuple(
            optimizer(setting.optimizer, lr, players.weight_decay, [networks[n] for n in names])
            for names, lr in ((GENERATOR, players.lr), (CRITIC, players.critic_lr))
        )

    @property
    def optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        """The generator's and the critic's."""
        return self._optimizers

    def step(self, series: Tensor) -> Tensor:
        """Let both move once; return by how much the critic prefers what is real."""
        real = series.transpose(0, 1)
        seed = seeds.integer(self._seed, "paths", self._steps)
        self._steps += 1
        fake, _ = generated(self._networks, self._shape, self._paths, real.shape[1], seed)
        score = scores(self._networks, self._shape, torch.cat([fake, real], 1))
        preference = score[real.shape[1] :].mean() - score[: real.shape[1]].mean()
        loss = -preference
        if self._players.lipschitz == "penalty":
            slope = gradient_penalty(self._networks, self._shape, real, fake, self._draws)
            loss = loss + self._players.penalty * slope
        for one in self._optimizers:
            one.zero_grad()
        loss.backward()
        for name in GENERATOR:  # which wants the opposite
            for parameter in self._networks[name].parameters():
                if parameter.grad is not None:
                    parameter.grad.neg_()
        for one in self._optimizers:
            one.step()
        if self._players.lipschitz == "clip":
            clip(self._networks)
        return preference.detach()

    def generate(self, count: int, seed: int) -> tuple[Tensor, int]:
        """Return new series, and the evaluations of fields."""
        series, evaluations = generated(self._networks, self._shape, self._paths, count, seed)
        return series.transpose(0, 1), evaluations

    def measured(self, series: Tensor, seed: int) -> Mapping[str, float]:
        """Return nothing: what a critic prefers says little about the generator."""
        del series, seed
        return {}

    def macs(self, each: Mapping[str, float]) -> float:
        """Return the multiply-accumulates of one series: real, generated and, if so, between."""
        critic_steps = self._shape.observations
        critic = each["critic_initial"] + each["critic_readout"]
        critic += critic_steps * each["critic_field"]
        passes = 3 * 2 + (3 * 3 if self._players.lipschitz == "penalty" else 0)
        fields = self._paths.work * (each["drift"] + each["diffusion"])
        ends = 3 * (each["initial"] + self._shape.observations * each["readout"])
        return passes * critic + fields + ends
