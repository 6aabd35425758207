"""Online policy distillation with decision attention (OPD-DA): a cohort of policies.

"Online Policy Distillation with Decision-Attention", Yu et al., 2024,
https://arxiv.org/abs/2406.05488. Reconstructed: there is no official code, and of the text only the
abstract and summaries could be had. These say: policies act in parallel in the same environment;
each minimises its algorithm's loss (PPO or DQN), a loss of decisions (against a weighted sum of the
others') and one of features; attention gives each policy weights of its own; all three parts help.
The formulas of attention and losses, and all coefficients, are ours (see the preset `opd-da`).

What is told whom, by which loss, weighed how, and by how many policies is the candidate's cohort:
genes, of which `opd-da` is where they start, and any other cohort that needs no labels will do.
Without a cohort the candidate learns alone, which is the ablation.

Every policy collects its own steps in its own environments, as many as the others. `samples` are
the steps of all, as the cost has the passes of all; so candidates compare at equal cost by it, and
at equal steps of each policy by `steps` of this trainer. Judged, and handed over, is the candidate.
Networks compute in float32 whatever the search's precision.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor, nn

from evonas import devices, seeds
from evonas.cohort_plan import CohortPlan
from evonas.errors import ConfigError
from evonas.genome.cohort import CANDIDATE
from evonas.measure import evaluating
from evonas.networks import Signature, Signatures
from evonas.state import TARGET, State
from evonas.trainer import Context, Trained, Trainer
from evonas_trainers.reinforcement import environments, scores, trials
from evonas_trainers.reinforcement.cohort_dqn import OffPolicy, QRounds
from evonas_trainers.reinforcement.cohort_ppo import OnPolicy, ProximalRounds
from evonas_trainers.reinforcement.environments import Environments, Facts
from evonas_trainers.reinforcement.policy_cohort import PolicyCohort, copies, lone
from evonas_trainers.reinforcement.policy_method import Method, Practice
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.trials import Checkpoint, Setting, Trial

_NET = "net"


@final
@dataclass(frozen=True, kw_only=True)
class OpdDa(Trainer):
    """Policies for choices that learn together: `net` puts out decisions, and with PPO a value.

    Beside the metrics of `evonas_trainers.reinforcement.scores`, which are the candidate's, it
    reports `member_return`, the mean return of all policies that learn; their `diversity`, the mean
    divergence of two policies' decisions in nats on what they last saw; and how evenly each virtual
    teacher weighs, `cohort/NAME/entropy`.

    Attributes:
        environment: A name that gymnasium knows; one with choices.
        options: How it is made.
        steps: In environments, of each policy in one trial; no more than these are made.
        trials: Trainings of one candidate, and its cohort, from different seeds.
        judging: How often a policy is judged, and on what scale.
        algorithm: By which all policies learn: `ppo` or `dqn`.
        parallel: Environments of each policy, side by side.
        horizon: Steps in each of them in a round.
        batch_size: Steps of one gradient.
        lr: Adam's learning rate.
        discount: What the next step is worth today.
        max_norm: A policy's gradients are scaled down to this norm.
        reward_scale: By which rewards are multiplied before anything is learned from them. With
            returns of 100 the error of values drowns all else that the network learns.
        on_policy: What PPO is told besides.
        off_policy: What DQN is told besides.
    """

    paper: ClassVar[str] = (
        "reconstructed from the abstract: Online Policy Distillation with Decision-Attention, Yu "
        "et al., 2024, https://arxiv.org/abs/2406.05488"
    )
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = scores.METRICS
    fixed: ClassVar[frozenset[str]] = frozenset(
        {"environment", "options", "judging", "trials", "algorithm"}
    )
    distils: ClassVar[bool] = True
    has_labels: ClassVar[bool] = False

    environment: str
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 24_576
    trials: int = 2
    judging: Judging = field(default_factory=Judging)
    algorithm: Literal["ppo", "dqn"] = "ppo"
    parallel: int = 8
    horizon: int = 32
    batch_size: int = 256
    lr: float = 1e-3
    discount: float = 0.99
    max_norm: float = 0.5
    reward_scale: float = 0.05
    on_policy: OnPolicy = field(default_factory=OnPolicy)
    off_policy: OffPolicy = field(default_factory=OffPolicy)

    def __post_init__(self) -> None:
        for name in ("trials", "parallel", "horizon", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        for name in ("lr", "max_norm", "reward_scale"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be more than 0")
        if not 0 <= self.discount <= 1:
            raise ConfigError(f"discount is {self.discount!r}, should be 0 to 1")
        if self.algorithm not in {"ppo", "dqn"}:
            raise ConfigError(f"algorithm is {self.algorithm!r}, should be 'ppo' or 'dqn'")
        self.judging.moments(self.rounds)

    @classmethod
    def example(cls) -> "OpdDa":
        """Return what `evonas check` trains."""
        return cls(
            environment="CartPole-v1", steps=256, horizon=16, judging=Judging(times=2, episodes=2)
        )

    @property
    def rounds(self) -> int:
        """How often a trial collects steps and learns from them."""
        return self.steps // (self.parallel * self.horizon)

    def prepare(self, seed: int) -> Mapping[str, Tensor]:  # noqa: ARG002 - nothing is drawn
        """Look at the environment.

        Raises:
            ConfigError: if one does not act by choices in it.
        """
        facts = environments.facts(self.environment, self.options)
        self.judging.scale(self.environment)
        environments.require_choices(facts, self.environment, "opd-da")
        return facts.to_tensors()

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return the one network, with a decision a choice, and with PPO the value at the end."""
        facts = Facts.from_tensors(prepared)
        outputs = facts.actions + (self.algorithm == "ppo")
        return {_NET: Signature(facts.observation, (outputs,))}

    def train(self, model: nn.Module, context: Context) -> Trained:
        """Train in all trials, and judge them as they go.

        Raises:
            ConfigError: if the cohort wants what policies cannot do.
        """
        signatures = self.signatures(context.prepared)
        plan = context.cohort or lone(model, signatures[_NET])
        made = [
            _Training(self, *copied, context, number)
            for number, copied in enumerate(copies(plan, model, self.trials))
        ]
        setting = Setting(environment=self.environment, judging=self.judging, signatures=signatures)
        return trials.run(made, setting, model, context)

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge the policy in fresh episodes."""
        facts, seed = Facts.from_tensors(context.prepared), seeds.integer(context.seed, "test")
        act = _greedy(model, facts, context.device)
        with evaluating(model):
            return self.judging.tested(model, act, self.environment, seed, self.options)


@final
class _Training(Trial):
    """One trial."""

    def __init__(
        self, trainer: OpdDa, plan: CohortPlan, model: nn.Module, context: Context, number: int
    ) -> None:
        self._trainer, self._context = trainer, context
        self._facts = Facts.from_tensors(context.prepared)
        self._seed = seeds.integer(context.seed, "trial", number)
        scaffold_seed = seeds.integer(self._seed, "scaffold")
        self._cohort = PolicyCohort(plan, model, self._facts.actions, scaffold_seed, context.device)
        self._optimizer = torch.optim.Adam(
            self._cohort.parameters, trainer.lr, eps=1e-5, fused=devices.fuses(context.device)
        )
        self._cohort.start_slots(self._optimizer, context.inherited)
        self._method: Method | None = None
        self._steps = 0

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Collect and learn in turn."""
        trainer, rounds = self._trainer, 0
        with ExitStack() as stack:
            self._method = self._started(stack)
            for until in trainer.judging.moments(trainer.rounds):
                seen = torch.empty(0)
                while rounds < until:
                    progress = rounds / trainer.rounds
                    self._cohort.begin(progress)
                    seen = self._method.round(progress)
                    rounds += 1
                    learners = len(self._cohort.learners)
                    self._steps += learners * trainer.parallel * trainer.horizon
                yield self._checkpoint(seen, rounds, self._method)

    def model(self) -> nn.Module:
        """Return the candidate."""
        return self._cohort.model

    def state(self) -> State:
        """Return the candidate's state, those of its cohort, and with DQN its target network."""
        state = self._cohort.state(self._optimizer)
        return state if self._method is None else self._method.state(state)

    def _started(self, stack: ExitStack) -> Method:
        """Return the method with environments that are closed with the stack."""
        trainer, device = self._trainer, self._context.device
        running: dict[str, Environments] = {}
        draws: dict[str, torch.Generator] = {}
        for policy in self._cohort.policies:
            seed = seeds.integer(self._seed, "policy", policy)
            made = Environments(trainer.environment, trainer.parallel, seed, trainer.options)
            running[policy] = stack.enter_context(made)
            draws[policy] = torch.Generator(device)
            draws[policy].manual_seed(seeds.integer(seed, "draws"))
        practice = Practice(
            cohort=self._cohort,
            optimizer=self._optimizer,
            running=running,
            draws=draws,
            device=device,
            horizon=trainer.horizon,
            batch_size=trainer.batch_size,
            discount=trainer.discount,
            max_norm=trainer.max_norm,
            reward_scale=trainer.reward_scale,
        )
        if trainer.algorithm == "ppo":
            return ProximalRounds(trainer.on_policy, practice)
        inherited = self._context.inherited
        target = None if inherited is None else inherited.part(TARGET)
        return QRounds(trainer.off_policy, practice, self._facts, target)

    def _checkpoint(self, seen: Tensor, rounds: int, method: Method) -> Checkpoint:
        learners = self._cohort.learners
        returns = {one: self._mean_return(one, rounds) for one in {CANDIDATE, *learners}}
        passes = self._cohort.passes
        return Checkpoint(
            mean_return=returns[CANDIDATE],
            steps=self._steps,
            gradient_steps=method.gradient_steps,
            forwards=passes,
            others={
                "member_return": _mean([returns[one] for one in learners]),
                "diversity": self._cohort.disagreement(seen),
                **self._cohort.diagnosis(),
            },
        )

    def _mean_return(self, policy: str, rounds: int) -> float:
        """Judge a policy; all of them by the same episodes."""
        trainer, network = self._trainer, self._cohort.network(policy)
        act = _greedy(network, self._facts, self._context.device)
        seed = seeds.integer(self._seed, "judge", rounds)
        return trainer.judging.mean_return(network, act, trainer.environment, seed, trainer.options)


def _greedy(network: nn.Module, facts: Facts, device: torch.device) -> scores.Act:
    """Return how a policy acts where it is judged: by its best decision, without draws."""

    def act(observations: Tensor) -> Tensor:
        return network(observations.to(device))[:, : facts.actions].argmax(1)

    return act


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
