"""Soft actor-critic: policies that earn rewards and stay as unforeseeable as they can.

"Soft Actor-Critic Algorithms and Applications" (Haarnoja et al., 2018,
https://arxiv.org/abs/1812.05905). How it learns is in `evonas_trainers.reinforcement.sac_learner`,
how it collects what it learns from in `off_policy`; told to prune by genes it is DS-SAC (`sparse`).
Unlike the authors' code: observations are taken as they are, log-deviations stay within -20 and 2,
and everything is computed in float32 whatever the search's precision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

from torch import Tensor, nn

from evonas import seeds
from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas.networks import Signatures, named
from evonas.trainer import Context, Trained, Trainer
from evonas_trainers.reinforcement import critics, environments, scores, trials
from evonas_trainers.reinforcement.descent import Start
from evonas_trainers.reinforcement.distributions import Squashed
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.off_policy import (
    Collecting,
    OffPolicyTrial,
    Task,
    best_actions,
)
from evonas_trainers.reinforcement.sac_learner import SacLearner, SacSettings
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.sparse import RULES
from evonas_trainers.reinforcement.trials import Setting

_FORWARDS = 7  # what critics should say: 1; critics: 3; actor: 3; as if all networks took part


@final
@dataclass(frozen=True, kw_only=True)
class Sac(Trainer):
    """Policies for continuous actions: an `actor` that draws them, `critic1` and `critic2`.

    Attributes:
        environment: A name that gymnasium knows.
        options: How it is made.
        steps: In environments, of one trial.
        trials: Trainings of one candidate from different seeds.
        judging: How often a policy is judged, and on what scale.
        collecting: How steps are collected, and how many are learned from.
        learning: How they are learned from.
    """

    paper: ClassVar[str] = "Soft Actor-Critic Algorithms and Applications, Haarnoja et al. 2018"
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = scores.METRICS
    fixed: ClassVar[frozenset[str]] = frozenset({"environment", "options", "judging", "trials"})
    prunes: ClassVar[bool | frozenset[str]] = RULES

    environment: str
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 8_000
    trials: int = 2
    judging: Judging = field(default_factory=Judging)
    collecting: Collecting = field(default_factory=Collecting)
    learning: SacSettings = field(default_factory=SacSettings)

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ConfigError(f"trials is {self.trials!r}, should be 1 or more")
        _ = self._task

    @classmethod
    def example(cls) -> "Sac":
        """Return what `evonas check` trains."""
        return cls(
            environment="Pendulum-v1",
            steps=260,
            judging=Judging(times=2, episodes=1),
            collecting=Collecting(start_steps=240, batch_size=32),
        )

    def prepare(self, seed: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - nothing is drawn
        """Look at the environment."""
        facts = environments.facts(self.environment, self.options)
        self.judging.scale(self.environment)
        environments.require_numbers(facts, self.environment, "sac")
        return facts.to_tensors()

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return an actor of means and log-deviations, and two critics."""
        return critics.signatures(Facts.from_tensors(prepared), outputs=2)

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Train in all trials, and judge them as they go."""
        made = [
            OffPolicyTrial(self._task, self._begin, copy, context, number)
            for number, copy in enumerate(trials.copies(model, self.trials))
        ]
        setting = Setting(
            environment=self.environment,
            judging=self.judging,
            signatures=self.signatures(context.prepared),
        )
        return trials.run(made, setting, model, context)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge the policy, without chance, in fresh episodes."""
        actor = named(model, self.signatures(context.prepared))["actor"]
        facts = Facts.from_tensors(context.prepared)
        act = best_actions(lambda seen: Squashed.of(actor(seen)).mode, facts, context.device)
        seed = seeds.integer(context.seed, "test")
        with evaluating(model):
            return self.judging.tested(model, act, self.environment, seed, self.options)

    @property
    def _task(self) -> Task:
        return Task(
            environment=self.environment,
            options=self.options,
            steps=self.steps,
            judging=self.judging,
            collecting=self.collecting,
            forwards=_FORWARDS,
        )

    def _begin(self, start: Start) -> SacLearner:
        return SacLearner(start, self.learning)
