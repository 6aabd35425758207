"""Learning from what was seen and done before: the loop that TD3 and SAC have in common.

Every step of the environments goes into the replay buffer, with actions in [-1, 1]; after every
step the learner learns from batches drawn from it. The first `start_steps` teach nothing yet, and
are random; a child that inherits its policy takes them by that policy, since it knows better than
chance, and its buffer begins empty as well. An episode that is cut off is worth what comes after.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from torch import Tensor, nn

from evonas import seeds
from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas.pruning_plan import PruningPlan
from evonas.state import State
from evonas.trainer import Context
from evonas_trainers.reinforcement import scores
from evonas_trainers.reinforcement.descent import Start
from evonas_trainers.reinforcement.environments import Environments, Facts
from evonas_trainers.reinforcement.replay import Batch, Replay
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.sparse import Sparsity
from evonas_trainers.reinforcement.trials import Checkpoint, Trial


@final
@dataclass(frozen=True, kw_only=True)
class Collecting:
    """How steps are collected, and how many are learned from.

    Attributes:
        start_steps: Before anything is learned.
        parallel: Environments side by side.
        capacity: Steps that the buffer keeps.
        batch_size: Steps of an update.
        updates: After each step of all environments.
    """

    start_steps: int = 1_000
    parallel: int = 1
    capacity: int = 1_000_000
    batch_size: int = 256
    updates: int = 1

    def __post_init__(self) -> None:
        for name in ("start_steps", "parallel", "capacity", "batch_size", "updates"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")


class Learner(Protocol):
    """What learns from batches; all its actions are in [-1, 1]."""

    def act(self, observations: Tensor) -> Tensor:
        """Return the best actions."""
        ...

    def explore(self, observations: Tensor) -> Tensor:
        """Return actions with some chance in them."""
        ...

    def update(self, batch: Batch) -> Tensor:
        """Learn from steps; return a number that is finite as long as all is well."""
        ...

    def finish(self) -> None:
        """End the training: prune for good."""
        ...

    def state(self) -> State:
        """Return what a child inherits."""
        ...


Begin = Callable[[Start], Learner]
"""Makes a learner of a candidate."""


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """What a trial has to do.

    Attributes:
        environment: In which to act.
        options: How it is made.
        steps: In it; what does not fill a round of all environments is left out.
        judging: How the policy is judged.
        collecting: How steps are collected, and how many are learned from.
        forwards: How often each sample of an update passes through the candidate; with gradients
            thrice.
    """

    environment: str
    options: Mapping[str, Any]
    steps: int
    judging: Judging
    collecting: Collecting
    forwards: float

    def __post_init__(self) -> None:
        if self.num_updates < 1:
            raise ConfigError(
                f"of {self.steps} steps {self.collecting.start_steps} teach nothing yet; give more"
                " steps, or fewer collecting.start_steps"
            )
        self.judging.moments(self.rounds)

    @property
    def rounds(self) -> int:
        """How many steps are taken in each environment."""
        return self.steps // self.collecting.parallel

    @property
    def start_rounds(self) -> int:
        """How many of them teach nothing."""
        return -(-self.collecting.start_steps // self.collecting.parallel)

    @property
    def num_updates(self) -> int:
        """How many updates a trial makes."""
        return (self.rounds - self.start_rounds) * self.collecting.updates


@final
class OffPolicyTrial(Trial):
    """One training from a replay buffer."""

    def __init__(
        self, task: Task, begin: Begin, model: nn.Module, context: Context, number: int
    ) -> None:
        self._task, self._model, self._device = task, model, context.device
        self._facts = Facts.from_tensors(context.prepared)
        self._seed = seeds.integer(context.seed, "trial", number)
        self._draws = self._generator("draws")
        self._is_fresh = context.inherited is None
        start = Start(
            model=model,
            generator=self._generator("learner"),
            inherited=context.inherited,
            num_updates=task.num_updates,
            sparsity=self._sparsity(model, context.pruning),
        )
        self._learner = begin(start)
        self._replay = Replay(min(task.collecting.capacity, task.steps), self._facts, self._device)
        self._loss = torch.zeros((), device=self._device)
        self._rounds = self._updates = 0

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Collect and learn in turn."""
        task = self._task
        with Environments(
            task.environment, task.collecting.parallel, self._seed, task.options
        ) as running:
            for until in task.judging.moments(task.rounds):
                while self._rounds < until:
                    self._collect(running)
                    self._rounds += 1
                    if self._rounds > task.start_rounds:
                        self._learn()
                yield self._checkpoint()

    def model(self) -> nn.Module:
        """Return actor and critics."""
        return self._model

    def state(self) -> State:
        """Return what a child inherits, pruned for good."""
        self._learner.finish()
        return self._learner.state()

    def _collect(self, running: Environments) -> None:
        """Take one step in every environment, and keep it."""
        seen = running.current
        if self._is_fresh and self._rounds < self._task.start_rounds:
            shape = (len(seen), self._facts.actions)
            units = 2 * torch.rand(shape, generator=self._draws, device=self._device) - 1
        else:
            with evaluating(self._model):
                units = self._learner.explore(seen.to(self._device))
        found = running.step(self._facts.scaled(units))
        self._replay.add(seen, units, found.rewards, found.observations, found.terminated)

    def _learn(self) -> None:
        """Learn from what is in the buffer."""
        for _ in range(self._task.collecting.updates):
            batch = self._replay.sample(self._task.collecting.batch_size, self._draws)
            self._loss += self._learner.update(batch)
            self._updates += 1

    def _checkpoint(self) -> Checkpoint:
        """Judge the policy as it is; at the end, as it is handed on.

        Raises:
            FloatingPointError: if a loss was not finite.
        """
        task = self._task
        if not self._loss.isfinite():
            raise FloatingPointError(f"a loss of the first {self._updates} is {self._loss.item()}")
        if self._rounds == task.rounds:
            self._learner.finish()
        act = best_actions(self._learner.act, self._facts, self._device)
        seed = seeds.integer(self._seed, "judge", self._rounds)
        mean = task.judging.mean_return(self._model, act, task.environment, seed, task.options)
        steps = self._rounds * task.collecting.parallel
        learned = self._updates * task.collecting.batch_size
        return Checkpoint(
            mean_return=mean,
            steps=steps,
            gradient_steps=self._updates,
            forwards=steps + round(task.forwards * learned),
            others={},
        )

    def _sparsity(self, model: nn.Module, plan: PruningPlan | None) -> Sparsity | None:
        if plan is None:
            return None
        draws = self._generator("sparsity")
        return Sparsity(model, plan, draws, is_inherited=not self._is_fresh)

    def _generator(self, purpose: str) -> torch.Generator:
        generator = torch.Generator(self._device)
        return generator.manual_seed(seeds.integer(self._seed, purpose))


def best_actions(act: scores.Act, facts: Facts, device: torch.device) -> scores.Act:
    """Return how a policy of actions in [-1, 1] acts in its environment."""

    def scaled(observations: Tensor) -> Tensor:
        return facts.scaled(act(observations.to(device)))

    return scaled
