"""Steps of a Gaussian policy that go as far as a trusted divergence, and no further.

"Trust Region Policy Optimization" (Schulman et al., 2015, https://arxiv.org/abs/1502.05477): the
surrogate is raised along the natural gradient, found by conjugate gradients from products with the
Fisher matrix, which is nowhere written out; a line search makes sure of the gain and of the
divergence. Difference from the paper: it accepts `SLACK` times the trusted divergence, as the
authors' code does.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.distributions import Gaussian

SLACK = 1.5
_RESIDUAL = 1e-10

Product = Callable[[Tensor], Tensor]
"""Maps a vector to its product with a matrix."""


@final
@dataclass(frozen=True, kw_only=True)
class TrustRegion:
    """How far a step goes, and how well its direction is known.

    Attributes:
        divergence: Trusted mean divergence of the new policy from the old one, in nats.
        conjugate_steps: Of which the direction is found.
        damping: Added to the diagonal of the Fisher matrix.
        backtracks: Points that the line search tries.
        shrink: By which each is nearer than the one before.
    """

    divergence: float = 0.05
    conjugate_steps: int = 10
    damping: float = 0.1
    backtracks: int = 10
    shrink: float = 0.7

    def __post_init__(self) -> None:
        if min(self.conjugate_steps, self.backtracks) < 1 or not 0 < self.shrink < 1:
            raise ConfigError(
                "a trust region needs conjugate_steps and backtracks of 1 or more, and a shrink"
                f" between 0 and 1, given {self!r}"
            )
        if self.divergence <= 0 or self.damping < 0:
            raise ConfigError(
                f"divergence should be more than 0, damping 0 or more, given {self!r}"
            )


@final
@dataclass(frozen=True)
class Acted:
    """Actions that a policy drew, and what they were worth.

    Attributes:
        observations: (batch, numbers).
        actions: As drawn, (batch, actions).
        advantages: (batch,).
    """

    observations: Tensor
    actions: Tensor
    advantages: Tensor


@final
@dataclass(frozen=True)
class Step:
    """What a step has come to; a refused one has moved nothing.

    Attributes:
        gain: Of the surrogate.
        divergence: Of the new policy from the old one, in nats.
        passes: Of the batch through the policy; one with gradients counts thrice.
    """

    gain: float
    divergence: float
    passes: int


def improve(model: nn.Module, acted: Acted, region: TrustRegion) -> Step:
    """Take one step with a policy, in place.

    Args:
        model: Maps observations to means and then log-deviations; the policy that acted.
        acted: What it did.
        region: How far to go.

    Raises:
        FloatingPointError: if the gradient is not finite.
    """
    parameters = [one for one in model.parameters() if one.requires_grad]
    start = Gaussian.of(model(acted.observations))
    old = Gaussian(start.mean.detach(), start.log_deviation.detach())
    slope = _gradient(surrogate(start, old, acted), parameters)
    if not slope.isfinite().all():
        raise FloatingPointError("the gradient of the policy is not finite")
    product = fisher_product(divergence(old, start).mean(), parameters, region.damping)
    direction = conjugate_gradient(product, slope, region.conjugate_steps)
    length = torch.dot(direction, product(direction)).item()
    passes = 3 + 6 * (region.conjugate_steps + 1)
    if not length > 0:
        return Step(0.0, 0.0, passes)
    full = math.sqrt(2 * region.divergence / length) * direction
    before = parameters_to_vector(parameters).detach()
    for number in range(region.backtracks):
        vector_to_parameters(before + region.shrink**number * full, parameters)
        with torch.no_grad():
            new = Gaussian.of(model(acted.observations))
            gain = (surrogate(new, old, acted) - surrogate(old, old, acted)).item()
            moved = divergence(old, new).mean().item()
        passes += 1
        if gain > 0 and moved <= SLACK * region.divergence:
            return Step(gain, moved, passes)
    vector_to_parameters(before, parameters)
    return Step(0.0, 0.0, passes)


def surrogate(new: Gaussian, old: Gaussian, acted: Acted) -> Tensor:
    """Return what is raised, equation 14: the mean of ratios times advantages."""
    ratio = (new.log_prob(acted.actions) - old.log_prob(acted.actions)).exp()
    return (ratio * acted.advantages).mean()


def divergence(old: Gaussian, new: Gaussian) -> Tensor:
    """Return the Kullback-Leibler divergences of `new` from `old` in nats, (batch,)."""
    ratio = (2 * (old.log_deviation - new.log_deviation)).exp()
    apart = ((old.mean - new.mean) / new.log_deviation.exp()).square()
    return ((ratio + apart - 1) / 2 + new.log_deviation - old.log_deviation).sum(-1)


def fisher_product(mean: Tensor, parameters: Sequence[nn.Parameter], damping: float) -> Product:
    """Return products with the Hessian of a divergence plus damping, from its graph.

    Where the two policies are equal this is the Fisher matrix (appendix C of the paper).
    """
    slopes = torch.autograd.grad(mean, parameters, create_graph=True, materialize_grads=True)
    slope = torch.cat([one.reshape(-1) for one in slopes])

    def product(vector: Tensor) -> Tensor:
        return _gradient(torch.dot(slope, vector), parameters) + damping * vector

    return product


def conjugate_gradient(product: Product, target: Tensor, steps: int) -> Tensor:
    """Return nearly the vector whose product is `target` (Hestenes and Stiefel, 1952)."""
    found = torch.zeros_like(target)
    residual, direction = target.clone(), target.clone()
    squared = torch.dot(residual, residual)
    for _ in range(steps):
        if squared < _RESIDUAL:
            break
        image = product(direction)
        share = squared / torch.dot(direction, image)
        found += share * direction
        residual -= share * image
        left = torch.dot(residual, residual)
        direction = residual + left / squared * direction
        squared = left
    return found


def _gradient(value: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    found = torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True)
    return torch.cat([one.reshape(-1) for one in found])
