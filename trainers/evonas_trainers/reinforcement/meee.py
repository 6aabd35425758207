"""Learning from imagined steps: trusting them less, and exploring more, where models disagree.

"Sample Efficient Reinforcement Learning via Model-Ensemble Exploration and Exploitation" (Yao,
Xiao, An, Zhang, Luo, 2021, https://arxiv.org/abs/2107.01825), which is soft actor-critic on steps
that an ensemble imagines (MBPO, see `dynamics.branching`), and two uses of how far its members
disagree: losses weigh imagined steps by it, and now and then the action is taken that promises most
of value and disagreement together. Without both, `is_weighted` and `explores`, it is MBPO.

Differences from the authors' code: what the ensemble tells is standardised, so that `doubt` and
`bonus` mean the same in every environment; candidate actions are spread in [-1, 1] and not in the
environment's numbers; exploration is on, which it is not in the code as published.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from evonas import measure, seeds
from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas.networks import Signatures, named
from evonas.state import State
from evonas.trainer import Context, Trained, Trainer
from evonas_trainers.reinforcement import critics, environments, scores, trials
from evonas_trainers.reinforcement.descent import Start
from evonas_trainers.reinforcement.distributions import Squashed
from evonas_trainers.reinforcement.dynamics import ensemble_state
from evonas_trainers.reinforcement.dynamics.branching import Branching
from evonas_trainers.reinforcement.dynamics.ends import ends_of
from evonas_trainers.reinforcement.dynamics.fitting import LEAST_ROWS
from evonas_trainers.reinforcement.dynamics.gaussian import EnsembleSettings
from evonas_trainers.reinforcement.dynamics.imagination import Draws, Imagination
from evonas_trainers.reinforcement.dynamics.network import Shape
from evonas_trainers.reinforcement.environments import Environments, Facts
from evonas_trainers.reinforcement.off_policy import best_actions
from evonas_trainers.reinforcement.replay import Batch, Replay
from evonas_trainers.reinforcement.sac_learner import SacLearner, SacSettings
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.trials import Checkpoint, Setting, Trial
from evonas_trainers.reinforcement.uncertainty import Optimism, trust

_FORWARDS = 7  # of an update: what critics should say, critics and actor, as in SAC


@final
@dataclass(frozen=True, kw_only=True)
class Meee(Trainer):
    """Policies for continuous actions, from few steps: `actor`, `critic1` and `critic2` of SAC.

    Beside the metrics of `evonas_trainers.reinforcement.scores` it reports `imagined_steps`; of
    each time that the ensemble was fitted, on the real steps since the time before, which it has
    not seen: the `model_error` (squared, in variances of what was seen) and the
    `disagreement_rank`, which is the rank correlation of disagreement and error.

    Defaults suit small tasks; docs/model_based.md has the published values.

    Attributes:
        environment: A name that gymnasium knows.
        options: How it is made.
        steps: In environments, of one trial.
        trials: Trainings of one candidate from different seeds.
        judging: How often a policy is judged, and on what scale.
        start_steps: Before anything is learned; random, unless the policy is inherited.
        updates: After each step.
        batch_size: Steps of an update.
        real_ratio: Share of them that is real; with 1 nothing is imagined, and this is SAC.
        reward_scale: By which rewards are multiplied before anything is learned from them.
        learning: How the policy learns.
        ensemble: What imagines, and how it is fitted.
        branching: When, from where and how far to imagine.
        is_weighted: Whether losses trust imagined steps less where members disagree.
        doubt: How much less: T of the paper.
        explores: Whether to explore where members disagree.
        optimism: How.
        known: Tells where imagined episodes end, if `evonas_trainers.reinforcement.known` does not:
            a `module:function` as there, or `never`.
    """

    paper: ClassVar[str] = (
        "Sample Efficient Reinforcement Learning via Model-Ensemble Exploration and Exploitation,"
        " Yao et al. 2021"
    )
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = scores.METRICS
    fixed: ClassVar[frozenset[str]] = frozenset({"environment", "options", "judging", "trials"})

    environment: str
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 2_000
    trials: int = 2
    judging: Judging = field(default_factory=Judging)
    start_steps: int = 200
    updates: int = 6
    batch_size: int = 256
    real_ratio: float = 0.05
    reward_scale: float = 0.1
    learning: SacSettings = field(default_factory=SacSettings)
    ensemble: EnsembleSettings = field(default_factory=EnsembleSettings)
    branching: Branching = field(default_factory=Branching)
    is_weighted: bool = True
    doubt: float = 20.0
    explores: bool = True
    optimism: Optimism = field(default_factory=Optimism)
    known: str | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "updates", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        if not 0 <= self.real_ratio <= 1 or self.doubt < 0 or self.reward_scale <= 0:
            raise ConfigError(
                "needs a real_ratio of 0 to 1, doubt of 0 or more and reward_scale above 0, given"
                f" {self.real_ratio!r}, {self.doubt!r} and {self.reward_scale!r}"
            )
        if not LEAST_ROWS <= self.start_steps < self.steps:
            raise ConfigError(
                f"start_steps is {self.start_steps!r}, which teach nothing yet; should be"
                f" {LEAST_ROWS} or more, and fewer than the {self.steps} steps of all"
            )
        self.judging.moments(self.steps)

    @classmethod
    def example(cls) -> "Meee":
        """Return what `evonas check` trains."""
        return cls(
            environment="Pendulum-v1",
            options={"max_episode_steps": 20},
            steps=60,
            judging=Judging(times=2, episodes=1),
            start_steps=40,
            updates=1,
            batch_size=32,
            ensemble=EnsembleSettings(shape=Shape(members=2, width=16, depth=1)),
            branching=Branching(interval=10, rollouts=64),
        )

    def prepare(self, seed: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - nothing is drawn
        """Look at the environment."""
        facts = environments.facts(self.environment, self.options)
        self.judging.scale(self.environment)
        environments.require_numbers(facts, self.environment, "meee")
        if self.real_ratio < 1:
            ends_of(self.environment, self.options, self.known, facts)
        return facts.to_tensors()

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return an actor of means and log-deviations, and two critics."""
        return critics.signatures(Facts.from_tensors(prepared), outputs=2)

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Train in all trials, and judge them as they go."""
        signatures = self.signatures(context.prepared)
        made = [
            _Training(self, copy, context, number)
            for number, copy in enumerate(trials.copies(model, self.trials))
        ]
        setting = Setting(environment=self.environment, judging=self.judging, signatures=signatures)
        return trials.run(made, setting, model, context)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge the policy, without chance, in fresh episodes."""
        actor = named(model, self.signatures(context.prepared))["actor"]
        facts = Facts.from_tensors(context.prepared)
        act = best_actions(lambda seen: Squashed.of(actor(seen)).mode, facts, context.device)
        seed = seeds.integer(context.seed, "test")
        with evaluating(model):
            return self.judging.tested(model, act, self.environment, seed, self.options)


@final
class _Training(Trial):
    """One trial."""

    def __init__(self, trainer: Meee, model: nn.Module, context: Context, number: int) -> None:
        self._trainer, self._model, self._device = trainer, model, context.device
        self._facts = Facts.from_tensors(context.prepared)
        self._seed = seeds.integer(context.seed, "trial", number)
        self._draws = self._generator("draws")
        inherited = context.inherited
        start = Start(
            model=model,
            generator=self._generator("learner"),
            inherited=None if inherited is None else ensemble_state.without(inherited),
        )
        self._learner = SacLearner(start, trainer.learning)
        self._imagination = self._imagined(inherited) if trainer.real_ratio < 1 else None
        self._is_fresh = context.inherited is None
        self._replay = Replay(trainer.steps, self._facts, self._device)
        self._loss = torch.zeros((), device=self._device)
        self._macs = measure.static(model, trainer.signatures(context.prepared))["macs"]
        self._steps = self._updates = 0

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Act, imagine and learn in turn."""
        trainer = self._trainer
        with Environments(trainer.environment, 1, self._seed, trainer.options) as running:
            for until in trainer.judging.moments(trainer.steps):
                while self._steps < until:
                    self._act(running)
                    self._steps += 1
                    since = self._steps - trainer.start_steps
                    if since >= 0:
                        self._imagine(since)
                        self._learn()
                yield self._checkpoint()

    def model(self) -> nn.Module:
        """Return actor and critics."""
        return self._model

    def state(self) -> State:
        """Return what a child inherits; the ensemble is in the trainer's own part."""
        state = self._learner.state()
        imagination = self._imagination
        return state if imagination is None else ensemble_state.added(state, imagination.state())

    def _act(self, running: Environments) -> None:
        """Take one step, and keep it."""
        seen = running.current.to(self._device)
        with evaluating(self._model):
            action = self._action(seen)
        found = running.step(self._facts.scaled(action))
        rewards = found.rewards * self._trainer.reward_scale
        self._replay.add(seen, action, rewards, found.observations, found.terminated)

    def _action(self, seen: Tensor) -> Tensor:
        """Return by chance, by the policy, or by optimism what to do, (1, numbers)."""
        trainer, optimism = self._trainer, self._trainer.optimism
        if self._is_fresh and self._steps < trainer.start_steps:
            shape = (1, self._facts.actions)
            return 2 * torch.rand(shape, generator=self._draws, device=self._device) - 1
        action = self._learner.explore(seen)
        imagination = self._imagination if trainer.explores else None
        if imagination is None or not imagination.is_trained or self._steps % optimism.interval:
            return action
        candidates = optimism.around(action, self._draws)
        here = seen.expand(len(candidates), -1)
        worth = critics.values(self._learner.critics, here, candidates).amin(0)
        return optimism.best(candidates, worth, imagination.disagreement(here, candidates))

    def _imagine(self, since: int) -> None:
        """Fit the ensemble and imagine, where it is time to."""
        if self._imagination is not None and since % self._trainer.branching.interval == 0:
            self._imagination.renew(self._replay.everything(), self._explore, self._steps)

    def _explore(self, seen: Tensor) -> Tensor:
        """Draw actions of the policy as it is; statistics of its layers stay what they are."""
        with evaluating(self._model):
            return self._learner.explore(seen)

    def _learn(self) -> None:
        """Learn from steps that were seen, and from steps that were imagined."""
        for _ in range(self._trainer.updates):
            batch, weights = self._batch()
            self._loss += self._learner.update(batch, weights)
            self._updates += 1

    def _batch(self) -> tuple[Batch, Tensor | None]:
        """Draw real steps, then imagined ones; and the weights of all."""
        trainer = self._trainer
        num_real = round(trainer.batch_size * trainer.real_ratio)
        seen = self._replay.sample(num_real, self._draws)
        if self._imagination is None:
            return seen, None
        mixed = self._imagination.joined(seen, trainer.batch_size - num_real)
        weights = trust(mixed.disagreement, trainer.doubt) if trainer.is_weighted else None
        return mixed.batch, weights

    def _checkpoint(self) -> Checkpoint:
        """Judge the policy as it is.

        Raises:
            FloatingPointError: if a loss was not finite.
        """
        trainer = self._trainer
        if not self._loss.isfinite():
            raise FloatingPointError(f"a loss of the first {self._updates} is {self._loss.item()}")
        act = best_actions(self._learner.act, self._facts, self._device)
        seed = seeds.integer(self._seed, "judge", self._steps)
        return Checkpoint(
            mean_return=trainer.judging.mean_return(
                self._model, act, trainer.environment, seed, trainer.options
            ),
            steps=self._steps,
            gradient_steps=self._updates,
            forwards=self._forwards,
            others={} if self._imagination is None else self._imagination.findings,
        )

    @property
    def _forwards(self) -> int:
        """Samples through the candidate; the ensemble's count by its multiply-accumulates."""
        forwards = self._steps + _FORWARDS * self._updates * self._trainer.batch_size
        if self._imagination is not None:
            forwards += self._imagination.imagined_steps
            forwards += round(self._imagination.macs / self._macs)
        return forwards

    def _imagined(self, inherited: State | None) -> Imagination:
        """Begin to imagine, with a parent's ensemble if it fits."""
        trainer = self._trainer
        ends = ends_of(trainer.environment, trainer.options, trainer.known, self._facts)
        draws = Draws.of(seeds.integer(self._seed, "imagination"), self._device)
        begun = Imagination(self._facts, trainer.ensemble, trainer.branching, ends, draws)
        if inherited is not None:
            begun.inherit(ensemble_state.of(inherited))
        return begun

    def _generator(self, purpose: str) -> torch.Generator:
        generator = torch.Generator(self._device)
        return generator.manual_seed(seeds.integer(self._seed, purpose))
