"""Deep Q-learning: what each choice is worth, learned from steps that are kept.

"Human-level control through deep reinforcement learning" (Mnih et al., 2015,
https://doi.org/10.1038/nature14236), with the targets of "Deep Reinforcement Learning with Double
Q-learning" (van Hasselt, Guez, Silver, 2015, https://arxiv.org/abs/1509.06461) unless told
otherwise. Differences: Adam, as everywhere by now; several environments side by side. Defaults are
those measured to learn small tasks in seconds. A child goes on with its parents' networks, but not
with the steps they kept. Networks compute in float32 whatever the search's precision.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from evonas import devices, seeds
from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas.networks import Signature, Signatures
from evonas.state import TARGET, State
from evonas.trainer import Context, Trained, Trainer
from evonas_trainers.reinforcement import environments, scores, trials
from evonas_trainers.reinforcement.environments import Environments, Facts
from evonas_trainers.reinforcement.replay import Batch, Replay
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.trials import Checkpoint, Setting, Trial


@final
@dataclass(frozen=True, kw_only=True)
class Dqn(Trainer):
    """Networks `net` that say of every choice what it is worth; the best one is taken.

    Beside the metrics of `evonas_trainers.reinforcement.scores` it reports the mean `value` of what
    was learned from last, as rewards are scaled.

    Attributes:
        environment: A name that gymnasium knows; one acts there by choosing.
        options: How it is made.
        steps: In environments, of one trial; no more than these are made.
        trials: Trainings of one candidate from different seeds.
        judging: How often a policy is judged, and on what scale.
        parallel: Environments side by side.
        updates: Gradient steps after each step of all environments.
        warmup: Steps before the first gradient step.
        capacity: Steps that are kept.
        batch_size: Steps of one gradient.
        lr: Adam's learning rate.
        discount: What the next step is worth today.
        is_double: Whether the network chooses and the target network says what that is worth;
            otherwise the target network does both, and is too hopeful.
        target_interval: Gradient steps after which the target network is the network again.
        first_epsilon: Share of random actions in the beginning.
        last_epsilon: And in the end.
        exploration: Share of the steps in which the one becomes the other.
        max_norm: Gradients are scaled down to this norm.
        reward_scale: By which rewards are multiplied before anything is learned from them.
    """

    paper: ClassVar[str] = (
        "Human-level control through deep reinforcement learning, Mnih et al. 2015"
    )
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = scores.METRICS
    fixed: ClassVar[frozenset[str]] = frozenset({"environment", "options", "judging", "trials"})

    environment: str
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 24_576
    trials: int = 2
    judging: Judging = field(default_factory=Judging)
    parallel: int = 8
    updates: int = 2
    warmup: int = 1000
    capacity: int = 50_000
    batch_size: int = 64
    lr: float = 2e-3
    discount: float = 0.99
    is_double: bool = True
    target_interval: int = 20
    first_epsilon: float = 1.0
    last_epsilon: float = 0.05
    exploration: float = 0.2
    max_norm: float = 10.0
    reward_scale: float = 0.1

    def __post_init__(self) -> None:
        for name in (
            "trials", "parallel", "updates", "capacity", "batch_size", "target_interval",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        for name in ("lr", "exploration", "max_norm", "reward_scale"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be more than 0")
        for name in ("discount", "first_epsilon", "last_epsilon"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 0 to 1")
        self.judging.moments(self.rounds)
        if self.warmup > self.rounds * self.parallel:
            raise ConfigError(
                f"of {self.steps} steps {self.warmup} teach nothing yet; give more steps, or a"
                " smaller warmup"
            )

    @classmethod
    def example(cls) -> "Dqn":
        """Return what `evonas check` trains."""
        judging = Judging(times=2, episodes=2)
        return cls(environment="CartPole-v1", steps=512, warmup=64, judging=judging)

    @property
    def rounds(self) -> int:
        """How often a trial steps in all environments."""
        return self.steps // self.parallel

    def epsilon(self, progress: float) -> float:
        """Return the share of random actions when `progress` of the steps have been made."""
        done = min(progress / self.exploration, 1.0)
        return self.first_epsilon + (self.last_epsilon - self.first_epsilon) * done

    def prepare(self, seed: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - nothing is drawn
        """Look at the environment."""
        facts = environments.facts(self.environment, self.options)
        self.judging.scale(self.environment)
        environments.require_choices(facts, self.environment, "dqn")
        return facts.to_tensors()

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return the one network `net`, with a value for each choice."""
        facts = Facts.from_tensors(prepared)
        return {"net": Signature(facts.observation, (facts.actions,))}

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
        act = greedy(model, context.device)
        seed = seeds.integer(context.seed, "test")
        return self.judging.tested(model, act, self.environment, seed, self.options)


def greedy(net: nn.Module, device: torch.device) -> scores.Act:
    """Return how the values of choices become actions: the best is taken."""

    def act(observations: Tensor) -> Tensor:
        return net(observations.to(device)).argmax(-1)

    return act


def worth(
    batch: Batch, net: nn.Module, target: nn.Module, discount: float, *, is_double: bool
) -> Tensor:
    """Return what the network should have said of the actions of a batch, (batch,)."""
    with torch.no_grad():
        judged = target(batch.next_observations)
        chosen = (net(batch.next_observations) if is_double else judged).argmax(-1)
        later = judged.gather(-1, chosen[:, None]).squeeze(-1)
        return batch.worth(later, discount)


@final
class _Training(Trial):
    """One trial."""

    def __init__(self, trainer: Dqn, model: nn.Module, context: Context, number: int) -> None:
        self._trainer, self._net, self._device = trainer, model, context.device
        self._facts = Facts.from_tensors(context.prepared)
        self._target = deepcopy(model).requires_grad_(requires_grad=False)
        fused = devices.fuses(context.device)
        self._optimizer = torch.optim.Adam(model.parameters(), trainer.lr, fused=fused)
        if context.inherited is not None:
            context.inherited.own.restore_optimizer(model, self._optimizer)
            if inherited := context.inherited.part(TARGET).tensors:
                self._target.load_state_dict(dict(inherited))
        capacity = min(trainer.capacity, trainer.rounds * trainer.parallel)
        self._replay = Replay(capacity, self._facts, context.device)
        self._seed = seeds.integer(context.seed, "trial", number)
        draws = seeds.integer(self._seed, "draws")
        self._draws = torch.Generator(context.device).manual_seed(draws)
        self._rounds = self._gradient_steps = 0
        self._value = 0.0

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Step in all environments and learn, in turn."""
        trainer = self._trainer
        with Environments(
            trainer.environment, trainer.parallel, self._seed, trainer.options
        ) as running:
            for until in trainer.judging.moments(trainer.rounds):
                while self._rounds < until:
                    self._step(running)
                    self._rounds += 1
                    if self._steps >= trainer.warmup:
                        self._learn()
                yield self._checkpoint()

    def model(self) -> nn.Module:
        """Return the network."""
        return self._net

    def state(self) -> State:
        """Return the network's state, the optimizer's and the target network's."""
        return State.of(self._net, self._optimizer).plus(TARGET, State.of(self._target))

    @property
    def _steps(self) -> int:
        return self._rounds * self._trainer.parallel

    def _checkpoint(self) -> Checkpoint:
        trainer = self._trainer
        seed = seeds.integer(self._seed, "judge", self._rounds)
        act = greedy(self._net, self._device)
        mean = trainer.judging.mean_return(
            self._net, act, trainer.environment, seed, trainer.options
        )
        passes = 5 if trainer.is_double else 4  # the one with gradients counts thrice
        return Checkpoint(
            mean_return=mean,
            steps=self._steps,
            gradient_steps=self._gradient_steps,
            forwards=self._steps + passes * self._gradient_steps * trainer.batch_size,
            others={"value": self._value},
        )

    def _step(self, running: Environments) -> None:
        """Act once in all environments, and keep what came of it."""
        seen = running.current.to(self._device)
        epsilon = self._trainer.epsilon(self._rounds / self._trainer.rounds)
        with evaluating(self._net):
            best = self._net(seen).argmax(-1)
        others = torch.empty_like(best).random_(self._facts.actions, generator=self._draws)
        chances = torch.empty(best.shape, device=self._device).uniform_(generator=self._draws)
        actions = torch.where(chances < epsilon, others, best)
        found = running.step(actions)
        rewards = found.rewards * self._trainer.reward_scale
        self._replay.add(seen, actions, rewards, found.observations, found.terminated)

    def _learn(self) -> None:
        """Take some gradient steps.

        Raises:
            FloatingPointError: if the loss is not finite.
        """
        trainer, total = self._trainer, torch.zeros((), device=self._device)
        value = torch.zeros_like(total)
        for _ in range(trainer.updates):
            batch = self._replay.sample(trainer.batch_size, self._draws)
            wanted = worth(
                batch, self._net, self._target, trainer.discount, is_double=trainer.is_double
            )
            values = self._net(batch.observations).gather(-1, batch.actions[:, None]).squeeze(-1)
            loss = F.smooth_l1_loss(values, wanted)
            self._optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(self._net.parameters(), trainer.max_norm)
            self._optimizer.step()
            self._gradient_steps += 1
            if self._gradient_steps % trainer.target_interval == 0:
                self._target.load_state_dict(self._net.state_dict())
            total += loss.detach()
            value += wanted.mean()
        if not total.isfinite():
            raise FloatingPointError(f"the loss is {total.item()} after {self._steps} steps")
        self._value = value.item() / trainer.updates
