"""Of what policies draw their actions: choices, numbers, and numbers squashed into a box.

The squashed Gaussian and its log-probability are from "Soft Actor-Critic: Off-Policy Maximum
Entropy Deep Reinforcement Learning with a Stochastic Actor" (Haarnoja et al., 2018,
https://arxiv.org/abs/1801.01290), appendix C.
"""

import math
from dataclasses import dataclass
from typing import Protocol, final

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_LOG_DEVIATION, LARGEST_LOG_DEVIATION = -20.0, 2.0
"""Between these the log-deviations of Gaussian policies are held, as in the paper's code."""


class Distribution(Protocol):
    """A distribution of actions for each of a batch of observations."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw an action for each observation; the generator is one of the device."""
        ...

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return the log-probabilities or log-densities of actions, (batch,)."""
        ...

    def entropy(self) -> Tensor:
        """Return the entropies in nats, (batch,)."""
        ...

    @property
    def mode(self) -> Tensor:
        """The likeliest action for each observation."""
        ...


@final
@dataclass(frozen=True)
class Categorical:
    """One of several choices.

    Attributes:
        logits: (batch, choices), up to a constant in each row.
    """

    logits: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw choices, (batch,): the first of exponential clocks that run at the probabilities."""
        times = torch.empty_like(self.logits).exponential_(generator=generator)
        return (self.logits - times.log()).argmax(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return log-probabilities of choices, (batch,)."""
        return self.logits.log_softmax(-1).gather(-1, actions[..., None]).squeeze(-1)

    def entropy(self) -> Tensor:
        """Return the entropies in nats, (batch,)."""
        logs = self.logits.log_softmax(-1)
        return -(logs.exp() * logs).sum(-1)

    @property
    def mode(self) -> Tensor:
        """The likeliest choices, (batch,)."""
        return self.logits.argmax(-1)


@final
@dataclass(frozen=True)
class Gaussian:
    """Numbers, each drawn by itself.

    Attributes:
        mean: (batch, numbers).
        log_deviation: (batch, numbers).
    """

    mean: Tensor
    log_deviation: Tensor

    @classmethod
    def of(cls, outputs: Tensor) -> "Gaussian":
        """Return the distribution that a network means by (batch, 2 x numbers)."""
        mean, log_deviation = outputs.chunk(2, -1)
        return cls(mean, log_deviation.clamp(LEAST_LOG_DEVIATION, LARGEST_LOG_DEVIATION))

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw actions; gradients pass through them to mean and deviation."""
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self.mean + self.log_deviation.exp() * noise

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return log-densities, (batch,)."""
        scaled = (actions - self.mean) / self.log_deviation.exp()
        each = -(scaled.square() + math.log(2 * math.pi)) / 2 - self.log_deviation
        return each.sum(-1)

    def entropy(self) -> Tensor:
        """Return the entropies in nats, (batch,)."""
        return (self.log_deviation + (1 + math.log(2 * math.pi)) / 2).sum(-1)

    @property
    def mode(self) -> Tensor:
        """The means."""
        return self.mean


@final
@dataclass(frozen=True)
class Squashed:
    """The hyperbolic tangents of Gaussian numbers: actions between -1 and 1.

    Its entropy has no closed form; the mean of `-log_prob` of draws estimates it.

    Attributes:
        inner: The Gaussian.
    """

    inner: Gaussian

    @classmethod
    def of(cls, outputs: Tensor) -> "Squashed":
        """Return the distribution that a network means by (batch, 2 x numbers)."""
        return cls(Gaussian.of(outputs))

    def sample(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw actions; return them and their log-densities, both with gradients."""
        inner = self.inner.sample(generator)
        return inner.tanh(), self.inner.log_prob(inner) - log_slope(inner).sum(-1)

    @property
    def mode(self) -> Tensor:
        """Where the Gaussian's mean is squashed to, (batch, numbers)."""
        return self.inner.mean.tanh()


def log_slope(inner: Tensor) -> Tensor:
    """Return log(1 - tanh(x)^2), by which squashing thins out densities (equation 21).

    Written so that nothing is lost where the tangent is 1 in floating point.
    """
    return 2 * (math.log(2) - inner - F.softplus(-2 * inner))
