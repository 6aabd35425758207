"""Proximal policy optimisation with one actor for all agents of a side.

"Proximal Policy Optimization Algorithms" (Schulman et al., 2017,
https://arxiv.org/abs/1707.06347) on the experience of many agents that share their parameters, as
in "Cooperative Multi-Agent Control Using Deep Reinforcement Learning" (Gupta et al., 2017,
https://doi.org/10.1007/978-3-319-71682-4_5). Every agent has advantages of its own: what comes
after its death is worth nothing to it, though its side may go on to win.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from evonas import devices, seeds
from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas.state import State
from evonas_trainers.reinforcement.advantages import Steps, advantages
from evonas_trainers.reinforcement.distributions import Categorical
from evonas_trainers.reinforcement.many_agents.battles import Deeds
from evonas_trainers.reinforcement.many_agents.players import sampling_player
from evonas_trainers.reinforcement.many_agents.practice import Practice
from evonas_trainers.reinforcement.ppo import clipped_objective
from evonas_trainers.reinforcement.trials import Checkpoint, Trial

_FORWARDS = 3  # acting, then the values of a round, and of where it led


@final
@dataclass(frozen=True, kw_only=True)
class SharedPpo:
    """The settings of the method.

    Attributes:
        turns: Between two rounds of learning.
        epochs: Passes over what they brought.
        batch_size: Agents' steps of one gradient.
        lr: Adam's learning rate.
        discount: What the next turn is worth now.
        trace: See `evonas_trainers.reinforcement.advantages`.
        clip: How far the ratio of new to old probabilities pays.
        entropy_price: What a nat of entropy is worth.
        value_price: What the critic's squared error costs.
        max_norm: Gradients of each network are scaled down to this norm.
        reward_scale: By which rewards are multiplied before anything is learned from them.
    """

    turns: int = 80
    epochs: int = 2
    batch_size: int = 512
    lr: float = 7e-4
    discount: float = 0.95
    trace: float = 0.95
    clip: float = 0.2
    entropy_price: float = 0.01
    value_price: float = 0.5
    max_norm: float = 0.5
    reward_scale: float = 0.2

    def __post_init__(self) -> None:
        for name in ("turns", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        for name in ("lr", "clip", "max_norm", "reward_scale"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be more than 0")
        for name in ("discount", "trace"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 0 to 1")


@final
@dataclass(frozen=True)
class Round:
    """What a side has gone through between two rounds of learning, agents in one dimension."""

    seen: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor


def agents_advantages(
    deeds: Sequence[Deeds], values: Tensor, reached_values: Tensor, team: int, method: SharedPpo
) -> Tensor:
    """Return the advantage of every deed, in the order of the turns and of the agents in each.

    Args:
        deeds: One a turn.
        values: Expected of what was seen, (deeds,).
        reached_values: Expected of what was seen next.
        team: How many agents there may be.
        method: With discount, trace and the scale of rewards.
    """
    turns = torch.cat([torch.full_like(one.numbers, at) for at, one in enumerate(deeds)])
    numbers = torch.cat([one.numbers for one in deeds])

    def by_agent(flat: Tensor) -> Tensor:
        """Return (turns, team), with zeros where an agent is dead."""
        spread = flat.new_zeros(len(deeds), team)
        spread[turns, numbers] = flat
        return spread

    device = values.device
    steps = Steps(
        by_agent(torch.cat([one.rewards for one in deeds]).to(device) * method.reward_scale),
        by_agent(values),
        by_agent(reached_values),
        by_agent(torch.cat([one.terminated for one in deeds]).to(device)),
        by_agent(torch.cat([one.ended for one in deeds]).to(device)),
    )
    return advantages(steps, method.discount, method.trace)[turns, numbers]


@final
class PpoTrial(Trial):
    """One training."""

    def __init__(self, method: SharedPpo, practice: Practice, model: nn.Module) -> None:
        self._method, self._practice, self._model = method, practice, model
        self._actor, self._critic = model.get_submodule("actor"), model.get_submodule("critic")
        self._device = practice.device
        self._optimizer = torch.optim.Adam(
            model.parameters(), method.lr, eps=1e-5, fused=devices.fuses(self._device)
        )
        practice.restore(model, self._optimizer)
        self._draws = torch.Generator(self._device)
        self._draws.manual_seed(seeds.integer(practice.seed, "draws"))
        self._steps = self._gradient_steps = self._rounds = 0

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Fight and learn in turn."""
        for until in self._practice.moments(self._method.turns):
            while self._rounds < until:
                self._learn(self._fight())
                self._rounds += 1
            generator = torch.Generator(self._device)
            generator.manual_seed(seeds.integer(self._practice.seed, "play", self._rounds))
            player = sampling_player(self._actor, self._practice.show, generator)
            with evaluating(self._model):
                margin, others = self._practice.judged(player, self._rounds)
            yield Checkpoint(
                mean_return=margin,
                steps=self._steps,
                gradient_steps=self._gradient_steps,
                forwards=(_FORWARDS + 3 * self._method.epochs) * self._steps,
                others=others,
            )

    def model(self) -> nn.Module:
        """Return actor and critic."""
        return self._model

    def state(self) -> State:
        """Return the networks' state and the optimizer's."""
        return State.of(self._model, self._optimizer)

    def _fight(self) -> Round:
        """Act for some turns; say what that was worth, by the networks that did it."""

        def choose(shown: Tensor) -> Tensor:
            return Categorical(self._actor(shown.to(self._device))).sample(self._draws)

        campaign = self._practice.campaign
        with evaluating(self._model):
            deeds = [campaign.turn(choose) for _ in range(self._method.turns)]
            seen = torch.cat([one.seen for one in deeds]).to(self._device)
            reached = torch.cat([one.reached for one in deeds]).to(self._device)
            actions = torch.cat([one.actions for one in deeds])
            values, reached_values = (self._critic(one).squeeze(1) for one in (seen, reached))
            log_probs = Categorical(self._actor(seen)).log_prob(actions)
        gained = agents_advantages(deeds, values, reached_values, campaign.team, self._method)
        self._steps += len(actions)
        return Round(seen, actions, log_probs, gained, gained + values)

    def _learn(self, gone: Round) -> None:
        """Pass over a round some times.

        Raises:
            FloatingPointError: if the loss is not finite.
        """
        method, total = self._method, torch.zeros((), device=self._device)
        for _ in range(method.epochs):
            order = torch.randperm(len(gone.actions), generator=self._draws, device=self._device)
            for rows in order.split(method.batch_size):
                chosen = Categorical(self._actor(gone.seen[rows]))
                ratio = (chosen.log_prob(gone.actions[rows]) - gone.log_probs[rows]).exp()
                gained = _standardised(gone.advantages[rows])
                error = (self._critic(gone.seen[rows]).squeeze(1) - gone.returns[rows]).square()
                loss = (
                    method.value_price * error.mean()
                    - clipped_objective(ratio, gained, method.clip)
                    - method.entropy_price * chosen.entropy().mean()
                )
                self._optimizer.zero_grad()
                loss.backward()
                for network in (self._actor, self._critic):
                    clip_grad_norm_(network.parameters(), method.max_norm)
                self._optimizer.step()
                self._gradient_steps += 1
                total += loss.detach()
        if not total.isfinite():
            raise FloatingPointError(f"the loss is {total.item()} after {self._rounds} rounds")


def _standardised(gained: Tensor) -> Tensor:
    return (gained - gained.mean()) / (gained.std(correction=0) + 1e-8)
