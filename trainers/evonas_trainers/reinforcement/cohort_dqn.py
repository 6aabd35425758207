"""Deep Q-learning by several policies at once.

"Human-Level Control through Deep Reinforcement Learning" (Mnih et al., 2015,
https://doi.org/10.1038/nature14236). Each policy has a replay buffer and a target network of its
own; to what it minimises comes what it takes over from the others. As in the paper target networks
are replaced at once, and errors count linearly beyond 1.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE
from evonas.state import TARGET, State
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.policy_method import Method, Practice, check_finite
from evonas_trainers.reinforcement.replay import Batch, Replay


@final
@dataclass(frozen=True, kw_only=True)
class OffPolicy:
    """How DQN learns: by one gradient for every step of a policy's environments side by side.

    Attributes:
        capacity: Steps that a replay buffer holds.
        warmup: Steps that a policy makes before it learns.
        target_every: Gradient steps after which a target network is replaced.
        first_exploration: The share of random actions at first; a child that inherits may want
            less than a fresh policy.
        last_exploration: And at last.
        explore_until: The part of the training at which that is reached.
    """

    capacity: int = 20_000
    warmup: int = 500
    target_every: int = 100
    first_exploration: float = 1.0
    last_exploration: float = 0.05
    explore_until: float = 0.3

    def __post_init__(self) -> None:
        if min(self.capacity, self.warmup, self.target_every) < 1:
            raise ConfigError(
                f"needs capacity, warmup and target_every of 1 or more, given {self!r}"
            )
        if not 0 <= self.last_exploration <= self.first_exploration <= 1:
            raise ConfigError(f"exploration falls between 1 and 0, given {self!r}")

    def exploration(self, progress: float) -> float:
        """Return the share of random actions after a part of the training."""
        passed = min(1.0, progress / self.explore_until) if self.explore_until > 0 else 1.0
        return self.first_exploration + passed * (self.last_exploration - self.first_exploration)


@final
class QRounds(Method):
    """DQN at work in one trial."""

    def __init__(
        self, settings: OffPolicy, practice: Practice, facts: Facts, target: State | None
    ) -> None:
        """Begin with copies as target networks, the candidate's from its parent's if there is one.

        Args:
            settings: How it learns.
            practice: With what.
            facts: Of the environment.
            target: Inherited, of the candidate's target network.
        """
        self._settings, self._practice, self._facts = settings, practice, facts
        cohort, device = practice.cohort, practice.device
        self._targets = {policy: _target(cohort.network(policy)) for policy in cohort.policies}
        if target is not None and target.tensors and CANDIDATE in self._targets:
            self._targets[CANDIDATE].load_state_dict(dict(target.own.tensors))
        self._replays = {
            policy: Replay(settings.capacity, facts, device) for policy in cohort.policies
        }
        self._steps = dict.fromkeys(cohort.policies, 0)
        self.gradient_steps = 0

    def round(self, progress: float) -> Tensor:
        """Step and learn in turn, one policy after the other."""
        practice, seen = self._practice, list[Tensor]()
        policies = practice.cohort.learners
        total = {policy: torch.zeros((), device=practice.device) for policy in policies}
        for _ in range(practice.horizon):
            for policy in policies:
                seen.append(self._act(policy, progress))
                if len(self._replays[policy]) >= self._settings.warmup:
                    total[policy] += self._learn(policy, progress)
        for policy, loss in total.items():
            check_finite(loss, policy)
        return torch.cat(seen)

    def state(self, state: State) -> State:
        """Return the state with the candidate's target network; members' start as copies."""
        if CANDIDATE not in self._targets:
            return state
        return state.plus(TARGET, State.of(self._targets[CANDIDATE]))

    def _act(self, policy: str, progress: float) -> Tensor:
        """Take a step in all of a policy's environments, and keep it; return what was acted on."""
        practice, running = self._practice, self._practice.running[policy]
        observations, draws = running.current.to(practice.device), practice.draws[policy]
        number = len(observations)
        values, _ = practice.cohort.outputs(policy, observations)
        drawn = torch.randint(
            self._facts.actions, (number,), generator=draws, device=practice.device
        )
        chance = torch.rand(number, generator=draws, device=practice.device)
        explores = chance < self._settings.exploration(progress)
        actions = torch.where(explores, drawn, values.argmax(1))
        found = running.step(actions)
        self._replays[policy].add(
            observations, actions, found.rewards, found.observations, found.terminated
        )
        return observations

    def _learn(self, policy: str, progress: float) -> Tensor:
        practice, target = self._practice, self._targets[policy]
        batch = self._replays[policy].sample(practice.batch_size, practice.draws[policy])
        wanted = bellman(target, batch, practice.discount, practice.reward_scale)
        practice.cohort.charge(policy, batch.observations)

        def task(values: Tensor, others: Tensor) -> Tensor:  # noqa: ARG001 - nothing else comes out
            return F.smooth_l1_loss(values.gather(1, batch.actions[:, None]).squeeze(1), wanted)

        loss = practice.descend(policy, batch.observations, task, progress)
        self.gradient_steps += 1
        self._steps[policy] += 1
        if self._steps[policy] % self._settings.target_every == 0:
            target.load_state_dict(practice.cohort.network(policy).state_dict())
        return loss


def bellman(target: nn.Module, batch: Batch, discount: float, reward_scale: float) -> Tensor:
    """Return what the steps were worth by the target network: r + gamma max_a Q(s', a)."""
    with torch.no_grad():
        best: Tensor = target(batch.next_observations).amax(1)
    return batch.rewards * reward_scale + discount * ~batch.terminated * best


def _target(network: nn.Module) -> nn.Module:
    return deepcopy(network).requires_grad_(False).eval()
