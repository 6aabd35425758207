"""Proximal policy optimisation by several policies at once; see `ppo` for the paper.

Differences from `ppo`: decisions and value are outputs of one network, and to what a policy
minimises comes what it takes over from the others.
"""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas.state import State
from evonas_trainers.reinforcement.advantages import Steps, advantages
from evonas_trainers.reinforcement.distributions import Categorical
from evonas_trainers.reinforcement.environments import Transition
from evonas_trainers.reinforcement.policy_method import Method, Practice, check_finite
from evonas_trainers.reinforcement.ppo import clipped_objective


@final
@dataclass(frozen=True, kw_only=True)
class OnPolicy:
    """How PPO learns.

    Attributes:
        epochs: Passes over the steps of a round.
        trace: See `evonas_trainers.reinforcement.advantages`.
        clip: How far the ratio of new to old probabilities pays.
        entropy_price: What a nat of entropy is worth.
        value_price: What the squared error of values costs.
    """

    epochs: int = 4
    trace: float = 0.95
    clip: float = 0.2
    entropy_price: float = 0.01
    value_price: float = 0.5

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.clip <= 0 or not 0 <= self.trace <= 1:
            raise ConfigError(f"needs epochs of 1 or more, clip > 0, trace 0 to 1, given {self!r}")


@final
@dataclass(frozen=True)
class Rollout:
    """A policy's steps of one round, with environments and time in one dimension."""

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, chosen: Tensor) -> "Rollout":
        """Return some of the steps."""
        return Rollout(
            self.observations[chosen],
            self.actions[chosen],
            self.log_probs[chosen],
            self.advantages[chosen],
            self.returns[chosen],
        )


@final
class ProximalRounds(Method):
    """PPO at work in one trial."""

    def __init__(self, settings: OnPolicy, practice: Practice) -> None:
        self._settings, self._practice = settings, practice
        self.gradient_steps = 0

    def round(self, progress: float) -> Tensor:
        """Collect by all policies; then pass over the steps, one batch of each policy in turn."""
        practice = self._practice
        rollouts = {policy: self._collect(policy) for policy in practice.cohort.learners}
        total = {policy: torch.zeros((), device=practice.device) for policy in rollouts}
        for _ in range(self._settings.epochs):
            orders = [self._order(policy, rollout) for policy, rollout in rollouts.items()]
            for chosen in zip(*orders, strict=True):
                for (policy, rollout), rows in zip(rollouts.items(), chosen, strict=True):
                    total[policy] += self._learn(policy, rollout.rows(rows), progress)
        for policy, loss in total.items():
            check_finite(loss, policy)
        return torch.cat([rollout.observations for rollout in rollouts.values()])

    def state(self, state: State) -> State:
        """Return the state as it is."""
        return state

    def _order(self, policy: str, rollout: Rollout) -> tuple[Tensor, ...]:
        practice = self._practice
        drawn = torch.randperm(
            len(rollout.actions), generator=practice.draws[policy], device=practice.device
        )
        return drawn.split(practice.batch_size)

    def _learn(self, policy: str, batch: Rollout, progress: float) -> Tensor:
        self.gradient_steps += 1

        def task(decisions: Tensor, others: Tensor) -> Tensor:
            return loss(decisions, others.squeeze(1), batch, self._settings)

        return self._practice.descend(policy, batch.observations, task, progress)

    def _collect(self, policy: str) -> Rollout:
        """Act for a horizon in all of a policy's environments."""
        practice, running = self._practice, self._practice.running[policy]
        seen: list[Tensor] = []
        done: list[Tensor] = []
        made: list[tuple[Tensor, Tensor]] = []
        found: list[Transition] = []
        for _ in range(practice.horizon):
            seen.append(running.current.to(practice.device))
            made.append(practice.cohort.outputs(policy, seen[-1]))
            done.append(Categorical(made[-1][0]).sample(practice.draws[policy]))
            found.append(running.step(done[-1]))
        decisions = torch.stack([one for one, _ in made])
        values = torch.stack([one for _, one in made]).squeeze(2)
        gained = advantages(
            self._steps(policy, values, found), practice.discount, self._settings.trace
        )
        actions = torch.stack(done)
        return Rollout(
            torch.stack(seen).flatten(0, 1),
            actions.flatten(),
            Categorical(decisions).log_prob(actions).flatten(),
            gained.flatten(),
            (gained + values).flatten(),
        )

    def _steps(self, policy: str, values: Tensor, found: list[Transition]) -> Steps:
        """Return what happened, with what the policy expects of where it led."""
        practice = self._practice
        reached = torch.stack([one.observations for one in found]).to(practice.device)
        _, expected = practice.cohort.outputs(policy, reached.flatten(0, 1))
        rewards = torch.stack([one.rewards for one in found]).to(practice.device)
        return Steps(
            rewards * practice.reward_scale,
            values,
            expected.reshape(values.shape),
            torch.stack([one.terminated for one in found]).to(practice.device),
            torch.stack([one.ended for one in found]).to(practice.device),
        )


def loss(decisions: Tensor, values: Tensor, batch: Rollout, settings: OnPolicy) -> Tensor:
    """Return the negative of equation 9 of the paper: objective, values' error, entropy."""
    policy = Categorical(decisions)
    ratio = (policy.log_prob(batch.actions) - batch.log_probs).exp()
    gained = batch.advantages - batch.advantages.mean()
    gained = gained / (batch.advantages.std(correction=0) + 1e-8)
    return (
        settings.value_price * (values - batch.returns).square().mean()
        - clipped_objective(ratio, gained, settings.clip)
        - settings.entropy_price * policy.entropy().mean()
    )
