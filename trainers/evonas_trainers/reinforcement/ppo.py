"""Proximal policy optimisation: several passes over fresh steps, none of which may lead far.

"Proximal Policy Optimization Algorithms" (Schulman et al., 2017, https://arxiv.org/abs/1707.06347).
Differences from the paper: actor and critic are two networks; the advantages of a batch are
standardised and gradients clipped, as in the authors' code; the rate stays as it is, since a child
goes on where its parent stopped; the deviation of continuous actions depends on what is observed.
Defaults are those measured to learn small tasks in seconds. The method lives on ratios of
probabilities, so networks compute in float32 whatever the search's precision, and as they are
judged: batch norms keep the statistics that they came with, and nothing is dropped out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from evonas import devices, seeds
from evonas.errors import ConfigError
from evonas.networks import Signature, Signatures, named
from evonas.state import State
from evonas.trainer import Context, Trained, Trainer
from evonas_trainers.reinforcement import environments, scores, trials
from evonas_trainers.reinforcement.advantages import Steps, advantages, standardised
from evonas_trainers.reinforcement.distributions import Categorical, Distribution, Gaussian
from evonas_trainers.reinforcement.environments import Environments, Facts, Transition
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.trials import Checkpoint, Setting, Trial

_FORWARDS = 2  # the actor acts, and says how likely that was; the critic values both ends of steps


@final
@dataclass(frozen=True, kw_only=True)
class Ppo(Trainer):
    """Policies for choices and for continuous actions: an `actor`, and a `critic` of its states.

    Beside the metrics of `evonas_trainers.reinforcement.scores` it reports the `entropy` of the
    policy in nats, and how far a round of learning moved it: `divergence`, in nats.

    Attributes:
        environment: A name that gymnasium knows.
        options: How it is made.
        steps: In environments, of one trial; no more than these are made.
        trials: Trainings of one candidate from different seeds.
        judging: How often a policy is judged, and on what scale.
        parallel: Environments side by side.
        horizon: Steps in each of them between two rounds of learning.
        epochs: Passes over these steps in a round.
        batch_size: Steps of one gradient.
        lr: Adam's learning rate.
        discount: What the next step is worth today.
        trace: See `evonas_trainers.reinforcement.advantages`.
        clip: How far the ratio of new to old probabilities pays.
        entropy_price: What a nat of entropy is worth.
        value_price: What the critic's squared error costs.
        max_norm: Gradients are scaled down to this norm.
        reward_scale: By which rewards are multiplied before anything is learned from them. Returns
            of about 1 suit; with those of 100 the critic takes long to follow.
    """

    paper: ClassVar[str] = "Proximal Policy Optimization Algorithms, Schulman et al. 2017"
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = scores.METRICS
    fixed: ClassVar[frozenset[str]] = frozenset({"environment", "options", "judging", "trials"})

    environment: str
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 24_576
    trials: int = 2
    judging: Judging = field(default_factory=Judging)
    parallel: int = 8
    horizon: int = 32
    epochs: int = 4
    batch_size: int = 256
    lr: float = 1e-3
    discount: float = 0.99
    trace: float = 0.95
    clip: float = 0.2
    entropy_price: float = 0.01
    value_price: float = 0.5
    max_norm: float = 0.5
    reward_scale: float = 0.05

    def __post_init__(self) -> None:
        for name in ("trials", "parallel", "horizon", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        for name in ("lr", "clip", "max_norm", "reward_scale"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be more than 0")
        for name in ("discount", "trace"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 0 to 1")
        self.judging.moments(self.rounds)

    @classmethod
    def example(cls) -> "Ppo":
        """Return what `evonas check` trains."""
        return cls(environment="CartPole-v1", steps=512, judging=Judging(times=2, episodes=2))

    @property
    def rounds(self) -> int:
        """How often a trial collects steps and learns from them."""
        return self.steps // (self.parallel * self.horizon)

    def prepare(self, seed: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - nothing is drawn
        """Look at the environment."""
        facts = environments.facts(self.environment, self.options)
        self.judging.scale(self.environment)
        return facts.to_tensors()

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return the actor, with a logit a choice or a mean and a log-deviation; and the critic."""
        facts = Facts.from_tensors(prepared)
        outputs = facts.actions if facts.is_choice else 2 * facts.actions
        return {
            "actor": Signature(facts.observation, (outputs,)),
            "critic": Signature(facts.observation, (1,)),
        }

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Train in all trials, and judge them as they go."""
        made = [
            _Training(self, copy, context, number)
            for number, copy in enumerate(trials.copies(model, self.trials))
        ]
        setting = Setting(
            environment=self.environment,
            judging=self.judging,
            signatures=self.signatures(context.prepared),
        )
        return trials.run(made, setting, model, context)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge the policy in fresh episodes."""
        actor = named(model, self.signatures(context.prepared))["actor"]
        act = greedy(actor, Facts.from_tensors(context.prepared), context.device)
        seed = seeds.integer(context.seed, "test")
        return self.judging.tested(model, act, self.environment, seed, self.options)


def greedy(actor: nn.Module, facts: Facts, device: torch.device) -> scores.Act:
    """Return how a policy acts where it is judged: as it finds best, without draws."""

    def act(observations: Tensor) -> Tensor:
        return taken(policy(actor(observations.to(device)), facts).mode, facts)

    return act


def policy(outputs: Tensor, facts: Facts) -> Distribution:
    """Return the distribution of actions that an actor's outputs mean."""
    return Categorical(outputs) if facts.is_choice else Gaussian.of(outputs)


def taken(actions: Tensor, facts: Facts) -> Tensor:
    """Return actions as the environment takes them: continuous ones end at the walls of its box."""
    return actions if facts.is_choice else facts.scaled(actions.clamp(-1, 1))


def clipped_objective(ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """Return L^CLIP, equation 7: no gain from a ratio beyond the clip, but all of its loss."""
    return torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


@final
@dataclass(frozen=True)
class _Rollout:
    """Steps to learn from in one round, with environments and time in one dimension."""

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor


@final
class _Training(Trial):
    """One trial. Networks are in eval mode: norms must be the same where one acts and learns."""

    def __init__(self, trainer: Ppo, model: nn.Module, context: Context, number: int) -> None:
        self._trainer, self._model, self._device = trainer, model.eval(), context.device
        self._facts = Facts.from_tensors(context.prepared)
        networks = named(model, trainer.signatures(context.prepared))
        self._actor, self._critic = networks["actor"], networks["critic"]
        fused = devices.fuses(context.device)
        self._optimizer = torch.optim.Adam(model.parameters(), trainer.lr, eps=1e-5, fused=fused)
        if context.inherited is not None:
            context.inherited.own.restore_optimizer(model, self._optimizer)
        self._seed = seeds.integer(context.seed, "trial", number)
        draws = seeds.integer(self._seed, "draws")
        self._draws = torch.Generator(context.device).manual_seed(draws)
        self._rounds = self._gradient_steps = 0
        self._others: Mapping[str, float] = {}

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Collect and learn in turn."""
        trainer = self._trainer
        with Environments(
            trainer.environment, trainer.parallel, self._seed, trainer.options
        ) as running:
            for until in trainer.judging.moments(trainer.rounds):
                while self._rounds < until:
                    self._learn(self._collect(running))
                    self._rounds += 1
                yield self._checkpoint()

    def model(self) -> nn.Module:
        """Return actor and critic."""
        return self._model

    def state(self) -> State:
        """Return the networks' state and the optimizer's."""
        return State.of(self._model, self._optimizer)

    def _checkpoint(self) -> Checkpoint:
        trainer = self._trainer
        act = greedy(self._actor, self._facts, self._device)
        seed = seeds.integer(self._seed, "judge", self._rounds)
        mean = trainer.judging.mean_return(
            self._model, act, trainer.environment, seed, trainer.options
        )
        steps = self._rounds * trainer.parallel * trainer.horizon
        return Checkpoint(
            mean_return=mean,
            steps=steps,
            gradient_steps=self._gradient_steps,
            forwards=(_FORWARDS + 3 * trainer.epochs) * steps,
            others=self._others,
        )

    def _collect(self, running: Environments) -> _Rollout:
        """Act for a horizon in all environments."""
        seen: list[Tensor] = []
        done: list[Tensor] = []
        found: list[Transition] = []
        with torch.no_grad():
            for _ in range(self._trainer.horizon):
                seen.append(running.current.to(self._device))
                done.append(policy(self._actor(seen[-1]), self._facts).sample(self._draws))
                found.append(running.step(taken(done[-1], self._facts)))
            return self._rollout(torch.stack(seen), torch.stack(done), found)

    def _rollout(self, seen: Tensor, done: Tensor, found: list[Transition]) -> _Rollout:
        """Say what the steps were worth, by the networks that took them."""
        reached = torch.stack([one.observations for one in found]).to(self._device)
        rewards = torch.stack([one.rewards for one in found]).to(self._device)
        values, reached_values = self._values(seen), self._values(reached)
        steps = Steps(
            rewards * self._trainer.reward_scale,
            values,
            reached_values,
            torch.stack([one.terminated for one in found]).to(self._device),
            torch.stack([one.ended for one in found]).to(self._device),
        )
        gained = advantages(steps, self._trainer.discount, self._trainer.trace)
        observations, actions = seen.flatten(0, 1), done.flatten(0, 1)
        log_probs = policy(self._actor(observations), self._facts).log_prob(actions)
        returns = (gained + values).flatten()
        return _Rollout(observations, actions, log_probs, gained.flatten(), returns)

    def _values(self, observations: Tensor) -> Tensor:
        """Return what the critic expects, for (steps, environments, *observation)."""
        return self._critic(observations.flatten(0, 1)).reshape(observations.shape[:2])

    def _learn(self, rollout: _Rollout) -> None:
        """Pass over the steps some times.

        Raises:
            FloatingPointError: if the loss is not finite.
        """
        trainer = self._trainer
        total = entropy = divergence = torch.zeros((), device=self._device)
        for _ in range(trainer.epochs):
            count = len(rollout.actions)
            order = torch.randperm(count, generator=self._draws, device=self._device)
            for rows in order.split(trainer.batch_size):
                chosen = policy(self._actor(rollout.observations[rows]), self._facts)
                change = chosen.log_prob(rollout.actions[rows]) - rollout.log_probs[rows]
                gained = standardised(rollout.advantages[rows])
                values = self._critic(rollout.observations[rows]).squeeze(-1)
                error = (values - rollout.returns[rows]).square().mean()
                entropy = chosen.entropy().mean()
                loss = (  # equation 9, of which this is the negative
                    trainer.value_price * error
                    - clipped_objective(change.exp(), gained, trainer.clip)
                    - trainer.entropy_price * entropy
                )
                self._optimizer.zero_grad()
                loss.backward()
                clip_grad_norm_(self._model.parameters(), trainer.max_norm)
                self._optimizer.step()
                self._gradient_steps += 1
                total = total + loss.detach()
                divergence = (change.detach().exp() - 1 - change.detach()).mean()
        if not total.isfinite():
            raise FloatingPointError(f"the loss is {total.item()} after {self._rounds} rounds")
        self._others = {"entropy": entropy.item(), "divergence": divergence.item()}
