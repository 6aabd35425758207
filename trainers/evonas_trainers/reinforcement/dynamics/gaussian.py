"""An ensemble that says what an action leads to, how sure it is, and where its members disagree.

"Deep Reinforcement Learning in a Handful of Trials using Probabilistic Dynamics Models" (Chua et
al., 2018, https://arxiv.org/abs/1805.12114): every member has a mean and a log-variance for every
number, trained by the likelihood; log-variances lie softly between bounds that are trained too. The
variance tells noise; what members' means differ by tells ignorance. Differences from the code that
MBPO and MEEE took over: outputs are standardised as inputs are; members differ in their first
weights and the order of their rows, not in rows drawn with replacement.
"""

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas import devices
from evonas.errors import ConfigError
from evonas_trainers.reinforcement.dynamics.fitting import (
    Fitted,
    Fitting,
    Learner,
    fit,
    squared_error,
)
from evonas_trainers.reinforcement.dynamics.network import Ensemble, Shape
from evonas_trainers.reinforcement.dynamics.scale import Scale

_LOWEST, _HIGHEST = -10.0, 0.5
"""Where the bounds of log-variances start, as in the paper's code."""
_BOUND_PRICE = 0.01


def softly_bounded(raw: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
    """Return log-variances between the bounds, with a gradient everywhere (appendix A.1)."""
    capped = highest - F.softplus(highest - raw)
    return lowest + F.softplus(capped - lowest)


def likelihood_losses(means: Tensor, log_variances: Tensor, targets: Tensor) -> Tensor:
    """Return of each member twice the negative log-likelihood but for a constant, (members,)."""
    errors = (means - targets).square() * (-log_variances).exp()
    return (errors + log_variances).mean((1, 2))


def disagreement(means: Tensor) -> Tensor:
    """Return how far (members, batch, outputs) are apart, (batch,): dev(s, a) of MEEE."""
    return means.std(0, correction=0).mean(-1)


@final
@dataclass(frozen=True, kw_only=True)
class EnsembleSettings:
    """An ensemble and how it is trained.

    Attributes:
        shape: Members, width, depth, activation.
        elites: The best so many members imagine; all, if there are no more.
        lr: Of Adam.
        weight_decay: Of the last layer; layers before it have less, in a line.
        fitting: When fitting ends.
    """

    shape: Shape = field(
        default_factory=lambda: Shape(members=5, width=64, depth=3, activation="silu")
    )
    elites: int = 4
    lr: float = 1e-3
    weight_decay: float = 1e-4
    fitting: Fitting = field(
        default_factory=lambda: Fitting(
            epochs=40, patience=5, improvement=0.01, batch_size=64, valid_ratio=0.2
        )
    )

    def __post_init__(self) -> None:
        if self.elites < 1 or self.lr <= 0 or self.weight_decay < 0:
            raise ConfigError(
                f"an ensemble needs elites >= 1, lr > 0 and weight_decay >= 0, given {self!r}"
            )


@final
class ProbabilisticEnsemble(nn.Module):
    """Maps rows (batch, inputs) to a normal distribution of (batch, outputs) for each member.

    Its state holds all that it needs to predict: scales and elites too.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        settings: EnsembleSettings,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        """Draw the weights on the CPU, then go to the device."""
        super().__init__()
        self.settings = settings
        self.network = Ensemble(settings.shape, inputs, 2 * outputs, generator)
        self.lowest = nn.Parameter(torch.full((outputs,), _LOWEST))
        self.highest = nn.Parameter(torch.full((outputs,), _HIGHEST))
        self.elites: Tensor
        self.register_buffer("elites", torch.arange(min(settings.elites, settings.shape.members)))
        for name, columns in (("input", inputs), ("output", outputs)):
            self.register_buffer(f"{name}_mean", torch.zeros(columns))
            self.register_buffer(f"{name}_deviation", torch.ones(columns))
        self.to(device)
        self.optimizer = self._adam(device)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one row through all members."""
        return self.network.shape.members * self.network.macs

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log-variances, (members, batch, outputs), of standardised outputs."""
        return self._read(self.network.same(self._scale("input").apply(inputs)))

    def sample(self, inputs: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw an output of an elite for each row; say how far all members disagree there.

        Returns:
            (batch, outputs), and `disagreement`, (batch,).
        """
        means, log_variances = self(inputs)
        where = generator.device
        chosen = torch.randint(
            len(self.elites), (len(inputs),), generator=generator, device=where
        ).to(inputs.device)
        noise = torch.randn(means.shape[1:], generator=generator, device=where).to(inputs.device)
        member, row = self.elites[chosen], torch.arange(len(inputs), device=inputs.device)
        drawn = means[member, row] + noise * (log_variances[member, row] / 2).exp()
        return self._scale("output").undo(drawn), disagreement(means)

    def errors(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Return the squared errors of the elites' means, standardised, (batch,)."""
        means, _ = self(inputs)
        targets = self._scale("output").apply(outputs)
        return (means[self.elites] - targets).square().mean((0, 2))

    def fit(self, inputs: Tensor, outputs: Tensor, generator: torch.Generator) -> Fitted:
        """Go on training with all rows there are, and choose the elites anew.

        Raises:
            ConfigError: if there are too few rows.
            FloatingPointError: if a loss is not finite.
        """
        for name, rows in (("input", inputs), ("output", outputs)):
            scale = Scale.of(rows)
            self.get_buffer(f"{name}_mean").copy_(scale.mean)
            self.get_buffer(f"{name}_deviation").copy_(scale.deviation)
        learner = Learner(self.network, self._loss, self.optimizer, self._criterion)
        fitted = fit(
            learner,
            self._scale("input").apply(inputs),
            self._scale("output").apply(outputs),
            self.settings.fitting,
            generator,
        )
        self.elites.copy_(fitted.losses.argsort()[: len(self.elites)])
        return fitted

    def _loss(self, found: Tensor, targets: Tensor) -> Tensor:
        """Return the members' losses, which share the price of loose bounds."""
        price = _BOUND_PRICE * (self.highest - self.lowest).sum()
        return likelihood_losses(*self._read(found), targets) + price / self.network.shape.members

    def _criterion(self, found: Tensor, targets: Tensor) -> Tensor:
        return squared_error(self._read(found)[0], targets)

    def _read(self, found: Tensor) -> tuple[Tensor, Tensor]:
        means, raw = found.chunk(2, dim=-1)
        return means, softly_bounded(raw, self.lowest, self.highest)

    def _scale(self, name: str) -> Scale:
        return Scale(self.get_buffer(f"{name}_mean"), self.get_buffer(f"{name}_deviation"))

    def _adam(self, device: torch.device) -> torch.optim.Optimizer:
        weights = list(self.network.weights)
        plain = [*self.network.biases, self.lowest, self.highest]
        groups = [{"params": plain, "weight_decay": 0.0}] + [
            {"params": [weight], "weight_decay": self.settings.weight_decay * place / len(weights)}
            for place, weight in enumerate(weights, 1)
        ]
        return torch.optim.Adam(groups, lr=self.settings.lr, fused=devices.fuses(device))
