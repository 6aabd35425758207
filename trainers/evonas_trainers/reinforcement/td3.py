"""TD3: a policy that goes up the gradient of its critics, of which the lesser is believed.

"Addressing Function Approximation Error in Actor-Critic Methods" (Fujimoto, van Hoof and Meger,
2018, https://arxiv.org/abs/1802.09477). How it learns is in
`evonas_trainers.reinforcement.td3_learner`, how it collects what it learns from in `off_policy`;
told to prune by genes it is DS-TD3 (`sparse`). Unlike the authors' code: batches of 256 by default,
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
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.off_policy import (
    Collecting,
    OffPolicyTrial,
    Task,
    best_actions,
)
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.sparse import RULES
from evonas_trainers.reinforcement.td3_learner import Td3Learner, Td3Settings
from evonas_trainers.reinforcement.trials import Setting


@final
@dataclass(frozen=True, kw_only=True)
class Td3(Trainer):
    """Policies for continuous actions: an `actor`, `critic1` and `critic2`.

    Attributes:
        environment: A name that gymnasium knows.
        options: How it is made.
        steps: In environments, of one trial.
        trials: Trainings of one candidate from different seeds.
        judging: How often a policy is judged, and on what scale.
        collecting: How steps are collected, and how many are learned from.
        learning: How they are learned from.
    """

    paper: ClassVar[str] = (
        "Addressing Function Approximation Error in Actor-Critic Methods, Fujimoto et al. 2018"
    )
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
    learning: Td3Settings = field(default_factory=Td3Settings)

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ConfigError(f"trials is {self.trials!r}, should be 1 or more")
        _ = self._task

    @classmethod
    def example(cls) -> "Td3":
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
        environments.require_numbers(facts, self.environment, "td3")
        return facts.to_tensors()

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return an actor, and two critics."""
        return critics.signatures(Facts.from_tensors(prepared), outputs=1)

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
        """Judge the policy in fresh episodes."""
        actor = named(model, self.signatures(context.prepared))["actor"]
        facts = Facts.from_tensors(context.prepared)
        act = best_actions(lambda seen: actor(seen).tanh(), facts, context.device)
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
            forwards=4 + 3 / self.learning.delay,  # wanted 1, critics 3; the actor 3, seldom
        )

    def _begin(self, start: Start) -> Td3Learner:
        return Td3Learner(start, self.learning)
