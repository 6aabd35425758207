"""Deep Q-learning, double and dueling, with one network for all agents of a side.

"Deep Reinforcement Learning with Double Q-learning" (van Hasselt et al., 2015,
https://arxiv.org/abs/1509.06461) and "Dueling Network Architectures for Deep Reinforcement
Learning" (Wang et al., 2015, https://arxiv.org/abs/1511.06581), which MAgent's authors found the
best of their baselines. Difference: the two streams share all layers but the last, whose first
output is the value and whose others are the advantages; so any network of the space will do.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from evonas import devices, seeds
from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas.state import TARGET, State
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.many_agents.battles import Deeds
from evonas_trainers.reinforcement.many_agents.players import greedy_player
from evonas_trainers.reinforcement.many_agents.practice import Practice
from evonas_trainers.reinforcement.replay import Batch, Replay
from evonas_trainers.reinforcement.trials import Checkpoint, Trial


@final
@dataclass(frozen=True, kw_only=True)
class SharedDqn:
    """The settings of the method.

    Attributes:
        updates: Gradient steps after each turn.
        batch_size: Agents' steps of one gradient.
        lr: Adam's learning rate.
        discount: What the next turn is worth now.
        capacity: Of the replay buffer, in agents' steps.
        warm_up: Turns before the first gradient.
        exploration: Share of random actions at the start.
        least_exploration: And from half of the training on; in between it falls in a line.
        target_turns: The target network becomes a copy every so many turns.
        max_norm: Gradients are scaled down to this norm.
        reward_scale: By which rewards are multiplied before anything is learned from them.
    """

    updates: int = 1
    batch_size: int = 256
    lr: float = 1e-3
    discount: float = 0.95
    capacity: int = 50_000
    warm_up: int = 40
    exploration: float = 1.0
    least_exploration: float = 0.05
    target_turns: int = 100
    max_norm: float = 5.0
    reward_scale: float = 0.2

    def __post_init__(self) -> None:
        for name in ("updates", "batch_size", "capacity", "target_turns"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        for name in ("lr", "max_norm", "reward_scale"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be more than 0")
        for name in ("discount", "exploration", "least_exploration"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 0 to 1")

    def exploration_at(self, progress: float) -> float:
        """Return the share of random actions after a share of the training."""
        left = max(0.0, 1 - 2 * progress)
        return self.least_exploration + left * (self.exploration - self.least_exploration)


def dueling(outputs: Tensor) -> Tensor:
    """Return the values of actions, equation 9: the state's, and the advantages less their mean.

    Args:
        outputs: (batch, 1 + actions).
    """
    value, advantage = outputs[:, :1], outputs[:, 1:]
    return value + advantage - advantage.mean(1, keepdim=True)


def double_targets(net: nn.Module, target: nn.Module, batch: Batch, discount: float) -> Tensor:
    """Return what actions turned out to be worth: the network chooses the next, the target judges.

    Args:
        net: The network that learns.
        target: A former state of it.
        batch: Of steps.
        discount: What the next turn is worth now.
    """
    best = net(batch.next_observations)[:, 1:].argmax(1, keepdim=True)
    later = dueling(target(batch.next_observations)).gather(1, best).squeeze(1)
    return batch.worth(later, discount)


@final
class DqnTrial(Trial):
    """One training."""

    def __init__(self, method: SharedDqn, practice: Practice, model: nn.Module) -> None:
        self._method, self._practice, self._net = method, practice, model
        self._device = practice.device
        self._target = deepcopy(model).eval()
        if practice.inherited is not None:
            former = practice.inherited.part(TARGET).tensors
            self._target.load_state_dict(dict(former) or model.state_dict())
        self._optimizer = torch.optim.Adam(
            model.parameters(), method.lr, fused=devices.fuses(self._device)
        )
        practice.restore(model, self._optimizer)
        self._draws = torch.Generator(self._device)
        self._draws.manual_seed(seeds.integer(practice.seed, "draws"))
        facts = Facts(practice.shape, practice.actions)
        self._replay = Replay(method.capacity, facts, self._device)
        self._steps = self._gradient_steps = self._turns = 0

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Fight, and learn after every turn."""
        for until in self._practice.moments(1):
            while self._turns < until:
                self._keep(self._practice.campaign.turn(self._explore))
                self._turns += 1
                if self._turns > self._method.warm_up:
                    self._learn()
                if self._turns % self._method.target_turns == 0:
                    self._target.load_state_dict(self._net.state_dict())
            with evaluating(self._net):
                player = greedy_player(self._net, self._practice.show)
                margin, others = self._practice.judged(player, self._turns)
            passes = 5 * self._gradient_steps * self._method.batch_size
            yield Checkpoint(
                mean_return=margin,
                steps=self._steps,
                gradient_steps=self._gradient_steps,
                forwards=self._steps + passes,
                others=others,
            )

    def model(self) -> nn.Module:
        """Return the network."""
        return self._net

    def state(self) -> State:
        """Return the network's state, the optimizer's and the target's."""
        return State.of(self._net, self._optimizer).plus(TARGET, State.of(self._target))

    def _explore(self, shown: Tensor) -> Tensor:
        """Choose the best actions, but for a share of random ones."""
        with evaluating(self._net):
            best = self._net(shown.to(self._device))[:, 1:].argmax(1)
        share = self._method.exploration_at(self._turns / self._practice.steps)
        drawn = torch.rand(len(best), generator=self._draws, device=self._device)
        actions = torch.randint(
            self._practice.actions, best.shape, generator=self._draws, device=self._device
        )
        return torch.where(drawn < share, actions, best)

    def _keep(self, deeds: Deeds) -> None:
        rewards = deeds.rewards * self._method.reward_scale
        self._replay.add(deeds.seen, deeds.actions, rewards, deeds.reached, deeds.terminated)
        self._steps += len(rewards)

    def _learn(self) -> None:
        """Take the gradient steps of a turn.

        Raises:
            FloatingPointError: if a loss is not finite.
        """
        method = self._method
        for _ in range(method.updates):
            batch = self._replay.sample(method.batch_size, self._draws)
            with evaluating(self._net):
                wanted = double_targets(self._net, self._target, batch, method.discount)
            values = dueling(self._net(batch.observations))
            loss = F.smooth_l1_loss(values.gather(1, batch.actions[:, None]).squeeze(1), wanted)
            self._optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(self._net.parameters(), method.max_norm)
            self._optimizer.step()
            self._gradient_steps += 1
            if not loss.isfinite():
                raise FloatingPointError(f"the loss is {loss.item()} after {self._turns} turns")
