"""Soft actor-critic, the part that learns from batches, wherever these come from.

"Soft Actor-Critic Algorithms and Applications" (Haarnoja et al., 2018,
https://arxiv.org/abs/1812.05905): an actor that maximises return and entropy, the lesser of two
critics against overestimation, and a temperature that is tuned towards an entropy. Actions lie in
[-1, 1] here, and so they do in batches; `Facts.scaled` takes them to the environment's.

Equations by the paper's numbers; unlike in it, the losses of actor and critics take weights of the
samples.
"""

import math
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.state import TARGET, TRAINER, State
from evonas_trainers.reinforcement.critics import (
    CRITICS,
    critics_loss,
    values,
    weighted_mean,
)
from evonas_trainers.reinforcement.descent import AdamSettings, Descent, Start
from evonas_trainers.reinforcement.distributions import Squashed
from evonas_trainers.reinforcement.replay import Batch
from evonas_trainers.reinforcement.target_networks import follow, target_of


@final
@dataclass(frozen=True, kw_only=True)
class SacSettings:
    """How soft actor-critic learns.

    Attributes:
        adam: Of actor, critics and temperature.
        discount: Of rewards a step later.
        target_share: How far targets go to their critics when they move.
        target_interval: Updates from one move to the next.
        temperature: Of the entropy, at first; a child goes on with its parent's if it is tuned.
        tunes_temperature: Whether it is tuned, or stays as it is given.
        entropy_ratio: It is tuned to an entropy of so many nats less than 0 for each number of an
            action.
    """

    adam: AdamSettings = field(default_factory=AdamSettings)
    discount: float = 0.99
    target_share: float = 0.005
    target_interval: int = 1
    temperature: float = 1.0
    tunes_temperature: bool = True
    entropy_ratio: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.discount < 1 or not 0 < self.target_share <= 1:
            raise ConfigError(f"needs 0 <= discount < 1 and 0 < target_share <= 1, given {self!r}")
        if self.target_interval < 1 or self.temperature <= 0:
            raise ConfigError(f"needs target_interval >= 1 and temperature > 0, given {self!r}")


def soft_target(
    batch: Batch, next_values: Tensor, next_log_probs: Tensor, temperature: Tensor, discount: float
) -> Tensor:
    """Return what critics should say of a batch: equations 2 and 3.

    Args:
        batch: The steps; what was cut off has its worth, what came to its end has not.
        next_values: Of the lesser target critic, for actions drawn anew.
        next_log_probs: Of these actions.
        temperature: Of the entropy.
        discount: Of rewards a step later.
    """
    return batch.worth(next_values - temperature * next_log_probs, discount)


def actor_loss(
    log_probs: Tensor, lesser_values: Tensor, temperature: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return the actor's loss for actions drawn anew: equation 7."""
    return weighted_mean(temperature * log_probs - lesser_values, weights)


def temperature_loss(log_temperature: Tensor, log_probs: Tensor, entropy: float) -> Tensor:
    """Return the temperature's loss for an entropy that is wanted: equation 18."""
    return -(log_temperature.exp() * (log_probs.detach() + entropy)).mean()


@final
class SacLearner:
    """A candidate that learns by soft actor-critic, in place.

    Attributes:
        actor: Maps observations to means and log-deviations of what is then squashed.
        critics: Map observations and actions, side by side, to a value.
        target_critics: What they learn from.
    """

    def __init__(self, start: Start, settings: SacSettings) -> None:
        self._model, self._settings, self._sparsity = start.model, settings, start.sparsity
        self._generator = start.generator
        self._critics_descent = start.descent(CRITICS, settings.adam)
        self._actor_descent = start.descent(["actor"], settings.adam)
        self._targets = target_of(start)
        self.actor = self._model.get_submodule("actor")
        self.critics = [self._model.get_submodule(name) for name in CRITICS]
        self.target_critics = [self._targets.get_submodule(name) for name in CRITICS]
        self._temperature = _Temperature(settings.temperature).to(start.generator.device)
        self._temperature_descent = Descent(self._temperature.parameters(), settings.adam)
        if start.inherited is not None and settings.tunes_temperature:
            self._temperature.inherit(start.inherited.part(TRAINER), self._temperature_descent)
        self._updates = 0

    @torch.no_grad()
    def act(self, observations: Tensor) -> Tensor:
        """Return the best actions, in [-1, 1]."""
        return Squashed.of(self.actor(observations)).mode

    @torch.no_grad()
    def explore(self, observations: Tensor) -> Tensor:
        """Draw actions, in [-1, 1]."""
        return Squashed.of(self.actor(observations)).sample(self._generator)[0]

    def update(self, batch: Batch, weights: Tensor | None = None) -> Tensor:
        """Learn from steps; return the losses added up, for a look at whether they are finite.

        Args:
            batch: Steps on the candidate's device, with actions in [-1, 1]; from wherever.
            weights: Of the samples in the losses of critics and actor, (batch,); None for 1.
        """
        temperature = self._temperature().detach()
        wanted = self._wanted(batch, temperature)
        predicted = values(self.critics, batch.observations, batch.actions)
        by_critics = critics_loss(predicted, wanted, weights)
        self._critics_descent.step(by_critics)
        actions, log_probs = Squashed.of(self.actor(batch.observations)).sample(self._generator)
        lesser = values(self.critics, batch.observations, actions).amin(0)
        by_actor = actor_loss(log_probs, lesser, temperature, weights)
        self._actor_descent.step(by_actor)
        if self._settings.tunes_temperature:
            entropy = -self._settings.entropy_ratio * actions.shape[1]
            self._temperature_descent.step(
                temperature_loss(self._temperature.log_temperature, log_probs, entropy)
            )
        self._updates += 1
        if self._updates % self._settings.target_interval == 0:
            self._follow()
        return (by_critics + by_actor).detach()

    def finish(self) -> None:
        """Prune for good what is pruned."""
        self._critics_descent.finish()
        self._actor_descent.finish()
        if self._sparsity is not None:
            self._sparsity.maintain(self._targets)

    def state(self) -> State:
        """Return what a child inherits; the actor has no target, and stands in for its own."""
        descents = (self._critics_descent, self._actor_descent)
        state = State.of(self._model, *(descent.optimizer for descent in descents))
        targets = {
            name: tensor
            for name, tensor in State.of(self._targets).tensors.items()
            if name.startswith(tuple(f"{critic}." for critic in CRITICS))
        }
        temperature = State.of(self._temperature, self._temperature_descent.optimizer)
        stand_ins = State.of(self._model).tensors  # copies: a file holds no tensor twice
        return state.plus(TARGET, State({**stand_ins, **targets})).plus(TRAINER, temperature)

    @torch.no_grad()
    def _wanted(self, batch: Batch, temperature: Tensor) -> Tensor:
        """Return what the critics should say."""
        actions, log_probs = Squashed.of(self.actor(batch.next_observations)).sample(
            self._generator
        )
        lesser = values(self.target_critics, batch.next_observations, actions).amin(0)
        return soft_target(batch, lesser, log_probs, temperature, self._settings.discount)

    def _follow(self) -> None:
        for target, critic in zip(self.target_critics, self.critics, strict=True):
            follow(target, critic, self._settings.target_share)
        if self._sparsity is not None:
            self._sparsity.maintain(self._targets)


@final
class _Temperature(nn.Module):
    """The price of certainty; positive, since its logarithm is what learns."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(math.log(start)))

    def forward(self) -> Tensor:
        return self.log_temperature.exp()

    def inherit(self, state: State, descent: Descent) -> None:
        """Go on from a parent's, if it has one."""
        if state.tensors:
            self.load_state_dict(dict(state.tensors))
            state.restore_optimizer(self, descent.optimizer)
