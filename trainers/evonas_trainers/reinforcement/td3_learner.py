"""TD3, the part that learns from batches, wherever these come from.

"Addressing Function Approximation Error in Actor-Critic Methods" (Fujimoto, van Hoof and Meger,
2018, https://arxiv.org/abs/1802.09477), algorithm 1: of two target critics the lesser is believed;
it is asked about noisy actions, so that peaks of the critics are not; the actor, and all targets,
follow once in `delay` updates of the critics. Actions lie in [-1, 1] here, and so they do in
batches. Losses take weights of the samples, which the paper has not.
"""

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas.state import TARGET, State
from evonas_trainers.reinforcement.critics import CRITICS, critics_loss, values, weighted_mean
from evonas_trainers.reinforcement.descent import AdamSettings, Start
from evonas_trainers.reinforcement.replay import Batch
from evonas_trainers.reinforcement.target_networks import follow, target_of


@final
@dataclass(frozen=True, kw_only=True)
class Td3Settings:
    """How TD3 learns.

    Attributes:
        adam: Of actor and critics.
        discount: Of rewards a step later.
        target_share: How far targets go to their networks when they move.
        delay: Updates of the critics for one of the actor and of all targets.
        exploration: Standard deviation of the noise on actions that are taken.
        target_noise: Of the noise on actions that target critics are asked about.
        target_clip: This noise is no larger.
    """

    adam: AdamSettings = field(default_factory=lambda: AdamSettings(lr=1e-3))
    discount: float = 0.99
    target_share: float = 0.005
    delay: int = 2
    exploration: float = 0.1
    target_noise: float = 0.2
    target_clip: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.discount < 1 or not 0 < self.target_share <= 1 or self.delay < 1:
            raise ConfigError(
                f"needs 0 <= discount < 1, 0 < target_share <= 1 and delay >= 1, given {self!r}"
            )
        if min(self.exploration, self.target_noise, self.target_clip) < 0:
            raise ConfigError(f"noise is not below 0, given {self!r}")


@final
class Td3Learner:
    """A candidate that learns by TD3, in place.

    Attributes:
        actor: Maps observations to actions before they are squashed.
        critics: Map observations and actions, side by side, to a value.
        target_actor: Acts where the critics' targets look ahead.
        target_critics: What critics learn from.
    """

    def __init__(self, start: Start, settings: Td3Settings) -> None:
        self._model, self._settings, self._sparsity = start.model, settings, start.sparsity
        self._generator = start.generator
        self._critics_descent = start.descent(CRITICS, settings.adam)
        self._actor_descent = start.descent(["actor"], settings.adam, interval=settings.delay)
        self._targets = target_of(start)
        self.actor = self._model.get_submodule("actor")
        self.critics = [self._model.get_submodule(name) for name in CRITICS]
        self.target_actor = self._targets.get_submodule("actor")
        self.target_critics = [self._targets.get_submodule(name) for name in CRITICS]
        self._updates = 0

    @torch.no_grad()
    def act(self, observations: Tensor) -> Tensor:
        """Return the best actions, in [-1, 1]."""
        return self.actor(observations).tanh()

    def explore(self, observations: Tensor) -> Tensor:
        """Return noisy actions, in [-1, 1]."""
        actions = self.act(observations)
        return (actions + self._noise(actions, self._settings.exploration)).clamp(-1, 1)

    def update(self, batch: Batch, weights: Tensor | None = None) -> Tensor:
        """Learn from steps; return the critics' loss.

        Args:
            batch: Steps on the candidate's device, with actions in [-1, 1]; from wherever.
            weights: Of the samples in the losses of critics and actor, (batch,); None for 1.
        """
        predicted = values(self.critics, batch.observations, batch.actions)
        loss = critics_loss(predicted, self._wanted(batch), weights)
        self._critics_descent.step(loss)
        self._updates += 1
        if self._updates % self._settings.delay == 0:
            actions = self.actor(batch.observations).tanh()
            worth = values(self.critics[:1], batch.observations, actions)[0]
            self._actor_descent.step(-weighted_mean(worth, weights))
            follow(self._targets, self._model, self._settings.target_share)
            if self._sparsity is not None:
                self._sparsity.maintain(self._targets)
        return loss.detach()

    def finish(self) -> None:
        """Prune for good what is pruned."""
        self._critics_descent.finish()
        self._actor_descent.finish()
        if self._sparsity is not None:
            self._sparsity.maintain(self._targets)

    def state(self) -> State:
        """Return what a child inherits: networks, their optimizers, their targets."""
        descents = (self._critics_descent, self._actor_descent)
        state = State.of(self._model, *(descent.optimizer for descent in descents))
        return state.plus(TARGET, State.of(self._targets))

    @torch.no_grad()
    def _wanted(self, batch: Batch) -> Tensor:
        """Return what the critics should say: what was cut off has its worth."""
        settings, seen = self._settings, batch.next_observations
        actions = self.target_actor(seen).tanh()
        noise = self._noise(actions, settings.target_noise)
        noise = noise.clamp(-settings.target_clip, settings.target_clip)
        lesser = values(self.target_critics, seen, (actions + noise).clamp(-1, 1)).amin(0)
        return batch.worth(lesser, settings.discount)

    def _noise(self, actions: Tensor, deviation: float) -> Tensor:
        return deviation * torch.empty_like(actions).normal_(generator=self._generator)
