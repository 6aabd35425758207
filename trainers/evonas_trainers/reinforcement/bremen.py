"""BREMEN: a policy that imagines, and stays near the behaviour that made its data.

"Deployment-Efficient Reinforcement Learning via Model-Based Offline Optimization" (Matsushima,
Furuta, Matsuo, Nachum, Gu, 2020, https://arxiv.org/abs/2006.03647). An ensemble learns where
actions lead; the policy starts as a clone of the behaviour in the latest data; then it takes
trust-region steps on paths that it imagines. No penalty holds it back: the start and the small
steps do. Offline there is one data set; recursively a few deployments add to it, and after each the
policy is cloned anew. Rewards and the ends of episodes are known functions, as in the paper.

Where the paper and its authors' code part, this goes as follows. The policy starts as
Normal(pi_beta, sigma) with `cloning.deviation` as sigma: 1 in the paper, while the code copies the
deviations that its cloning has shrunk. Cloning compares the means with the actions, where the code
compares drawn actions. Actions are drawn with the policy's own deviations, in imagination and in
deployments, and ratios are of these; the code draws with 0.1 and takes ratios of others. In every
step every path is continued by a member drawn for it, all members serving equally many; the code
draws one for all paths. Ends are judged by what is reached, where the code has by then overwritten
what was observed. Paths start at observations of the data, and the baseline is fitted to the very
paths whose baseline it is. A child with inherited weights goes on from its parent's policy: that
collects the first batch, and offline it is not brought back to the clone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from evonas import seeds
from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas.networks import Signature, Signatures
from evonas.state import State
from evonas.trainer import Context, Trained, Trainer
from evonas_trainers.reinforcement import environments, scores, trials
from evonas_trainers.reinforcement.cloning import Cloning, clone
from evonas_trainers.reinforcement.dynamics import data_set
from evonas_trainers.reinforcement.dynamics.deterministic import Learning, learned
from evonas_trainers.reinforcement.dynamics.experience import Experience, collect, drawn
from evonas_trainers.reinforcement.dynamics.fitting import Fitting
from evonas_trainers.reinforcement.dynamics.network import Shape
from evonas_trainers.reinforcement.dynamics.paths import Imagining, World, acted, imagine
from evonas_trainers.reinforcement.environments import Environments, Facts
from evonas_trainers.reinforcement.known import known
from evonas_trainers.reinforcement.ppo import greedy
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.trials import Checkpoint, Setting, Trial
from evonas_trainers.reinforcement.trust_region import TrustRegion, improve

DEPLOYED = "deployed"


@final
@dataclass(frozen=True, kw_only=True)
class Bremen(Trainer):
    """Policies for continuous actions, in environments whose rewards are known: one network `net`.

    Beside the metrics of `evonas_trainers.reinforcement.scores` it reports `deployments` (how often
    a new policy has acted in the environment), `imagined_steps`, `imagined_return` (of a horizon),
    `model_error` (squared, on steps held out; predicting the mean change has 1) and `divergence`
    (of the last step, in nats). Steps are reported in equal parts from one evaluation to the next:
    offline those of the data set, recursively those of deployments, of which they may run ahead
    where there are more evaluations than deployments. Fields up to `noise` are used once a search,
    so they cannot be genes.

    Attributes:
        environment: A name that gymnasium knows.
        options: How it is made.
        known: Its rewards and ends at `module:function`, see `known.Outcome`; None for what is
            known of it.
        judging: How often a policy is judged, and on what scale.
        trials: Trainings of one candidate from different seeds.
        data: `deployed`: made by the policy itself, recursively; offline `random` or `scripted`, by
            a controller; or the path of an `.npz`, see `dynamics.data_set`.
        steps: Of the data set, or of all deployments of a trial together.
        parallel: Environments side by side in which data are made.
        noise: Deviation of the noise in what a scripted controller does.
        deployments: In which the steps are made, equally many in each.
        iterations: Trust-region steps after each deployment, or offline; 0 is behaviour cloning,
            which learns no dynamics.
        clone: Whether the policy starts as a clone; without, this is ME-TRPO.
        clone_all: Whether of all data, or of the latest deployment's.
        cloning: How the policy is brought to its start.
        dynamics: The ensemble.
        imagining: How much is imagined.
        trust: How far a step goes.
    """

    paper: ClassVar[str] = (
        "Deployment-Efficient Reinforcement Learning via Model-Based Offline Optimization,"
        " Matsushima et al. 2020"
    )
    accepts: ClassVar[type] = nn.Module
    metrics: ClassVar[Mapping[str, str]] = scores.METRICS
    fixed: ClassVar[frozenset[str]] = frozenset(
        {"environment", "options", "known", "judging", "trials", "data", "steps"}
        | {"parallel", "noise"}
    )

    environment: str
    options: Mapping[str, Any] = field(default_factory=dict)
    known: str | None = None
    judging: Judging = field(default_factory=Judging)
    trials: int = 2
    data: str = DEPLOYED
    steps: int = 5000
    parallel: int = 5
    noise: float = 0.5
    deployments: int = 5
    iterations: int = 10
    clone: bool = True
    clone_all: bool = False
    cloning: Cloning = field(default_factory=Cloning)
    dynamics: Learning = field(default_factory=Learning)
    imagining: Imagining = field(default_factory=Imagining)
    trust: TrustRegion = field(default_factory=TrustRegion)

    def __post_init__(self) -> None:
        for name in ("trials", "parallel", "deployments"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        for name in ("iterations", "noise"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 0 or more")
        if self.is_offline:
            data_set.check(self.data)
        self.judging.moments(self.steps)

    @classmethod
    def example(cls) -> "Bremen":
        """Return what `evonas check` trains."""
        return cls(
            environment="Pendulum-v1",
            options={"max_episode_steps": 50},
            judging=Judging(times=2, episodes=2),
            steps=100,
            deployments=2,
            iterations=1,
            cloning=Cloning(steps=5),
            dynamics=Learning(shape=Shape(members=2, width=16), fitting=Fitting(epochs=2)),
            imagining=Imagining(steps=40, horizon=10),
        )

    @property
    def is_offline(self) -> bool:
        """Whether all data are there from the start."""
        return self.data != DEPLOYED

    def prepare(self, seed: int) -> Mapping[str, Tensor]:
        """Look at the environment, and make or read the data set."""
        facts = environments.facts(self.environment, self.options)
        self.judging.scale(self.environment)
        if facts.is_choice or len(facts.observation) != 1:
            raise ConfigError(
                f"{self.environment!r} shows {facts.observation} and has {facts.actions} actions,"
                " which are no vectors of numbers; bremen needs both to be"
            )
        known(self.environment, self.options, self.known)
        if not self.is_offline:
            return facts.to_tensors()
        place = seeds.integer(seed, "data")
        with Environments(self.environment, self.parallel, place, self.options) as running:
            data = data_set.offline(self.data, running, self.noise, self.steps, seed)
        return {**facts.to_tensors(), **data.to_tensors()}

    def signatures(self, prepared: Mapping[str, Tensor]) -> Signatures:
        """Return the policy: a mean for each number of an action, then the log-deviations."""
        facts = Facts.from_tensors(prepared)
        return {"net": Signature(facts.observation, (2 * facts.actions,))}

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
        trained = trials.run(made, setting, model, context)
        return replace(
            trained, extra_macs=trained.extra_macs + sum(one.dynamics_macs for one in made)
        )

    def test(self, model: nn.Module, context: Context) -> Mapping[str, float]:
        """Judge the policy in fresh episodes."""
        facts = Facts.from_tensors(context.prepared)
        act = greedy(model, facts, context.device)
        seed = seeds.integer(context.seed, "test")
        with evaluating(model):
            return self.judging.tested(model, act, self.environment, seed, self.options)


@final
class _Training(Trial):
    """One trial. The policy is in eval mode: its norms must be the same where it acts and learns.

    Attributes:
        dynamics_macs: Multiply-accumulates of fitting the dynamics and of imagining with them.
    """

    def __init__(self, trainer: Bremen, model: nn.Module, context: Context, number: int) -> None:
        self._trainer, self._model, self._device = trainer, model.eval(), context.device
        self._is_child = context.inherited is not None
        self._facts = Facts.from_tensors(context.prepared)
        self._outcome = known(trainer.environment, trainer.options, trainer.known)
        self._seed = seeds.integer(context.seed, "trial", number)
        self._draws = torch.Generator(context.device)
        self._draws.manual_seed(seeds.integer(self._seed, "draws"))
        self._given = Experience.from_tensors(context.prepared) if trainer.is_offline else None
        self._experience: Experience | None = None
        self._world: World | None = None
        self._deployments = self._imagined = self._gradient_steps = self._forwards = 0
        self._others: Mapping[str, float] = {}
        self.dynamics_macs = 0

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Iterate offline, or deploy again and again; what is judged is the latest policy."""
        trainer = self._trainer
        if self._given is not None:
            self._start(self._given.to(self._device))
        total = trainer.iterations if trainer.is_offline else trainer.deployments
        done, returns = 0, dict[int, float]()
        for moment in range(1, trainer.judging.times + 1):
            until = total * moment // trainer.judging.times
            while done < until:
                self._iterate() if trainer.is_offline else self._deploy()
                done += 1
            if done not in returns:
                returns[done] = self._judge(done)
            yield Checkpoint(
                mean_return=returns[done],
                steps=trainer.steps * moment // trainer.judging.times,
                gradient_steps=self._gradient_steps,
                forwards=self._forwards,
                others={
                    **self._others,
                    "deployments": float(self._deployments),
                    "imagined_steps": float(self._imagined),
                },
            )

    def model(self) -> nn.Module:
        """Return the policy."""
        return self._model

    def state(self) -> State:
        """Return the policy's state; cloning starts its optimizer anew, the others have none."""
        return State.of(self._model)

    def _judge(self, done: int) -> float:
        trainer = self._trainer
        act = greedy(self._model, self._facts, self._device)
        seed = seeds.integer(self._seed, "judge", done)
        return trainer.judging.mean_return(
            self._model, act, trainer.environment, seed, trainer.options
        )

    def _deploy(self) -> None:
        """Act in the environment, and learn from it and from all that was seen before."""
        trainer, number = self._trainer, self._deployments
        first, last = (trainer.steps * one // trainer.deployments for one in (number, number + 1))
        seed = seeds.integer(self._seed, "deployment", number)
        is_blank = number == 0 and not self._is_child
        act = (
            data_set.uniform(self._facts.actions, seed)
            if is_blank
            else drawn(self._model, self._draws)
        )
        with Environments(trainer.environment, trainer.parallel, seed, trainer.options) as running:
            self._start(collect(act, running, last - first).to(self._device))
        self._deployments += 1
        self._forwards += last - first
        for _ in range(trainer.iterations):
            self._iterate()

    def _start(self, latest: Experience) -> None:
        """Learn the dynamics of all there is, and bring the policy to its start."""
        trainer = self._trainer
        every = latest if self._experience is None else self._experience.plus(latest)
        self._experience = every
        if trainer.iterations > 0:
            self._world = self._learned(every)
            if trainer.is_offline and self._is_child:
                return
        data = every if trainer.clone_all else latest
        clone(self._model, data, trainer.cloning, self._draws, imitate=trainer.clone)
        self._gradient_steps += trainer.cloning.steps
        self._forwards += 3 * trainer.cloning.steps * trainer.cloning.batch_size

    def _learned(self, every: Experience) -> World:
        """Fit fresh dynamics."""
        seed = seeds.integer(self._seed, "dynamics", self._deployments)
        drawing = torch.Generator().manual_seed(seed)
        dynamics, fitted = learned(every, self._trainer.dynamics, drawing)
        members = dynamics.network.shape.members
        self.dynamics_macs += 3 * dynamics.network.macs * members * fitted.rows
        self._gradient_steps += fitted.steps
        self._others = {**self._others, "model_error": fitted.losses.mean().item()}
        return World(dynamics, self._outcome, every.observations, self._facts)

    def _iterate(self) -> None:
        """Imagine, and take a step."""
        trainer, world = self._trainer, self._world
        assert world is not None, "there is a start before the first step"
        paths = imagine(self._model, world, trainer.imagining, self._draws)
        step = improve(self._model, acted(paths, world, trainer.imagining), trainer.trust)
        number = paths.rewards.numel()
        self._imagined += number
        self._gradient_steps += 1
        self._forwards += (1 + step.passes) * number
        self.dynamics_macs += world.dynamics.network.macs * number
        self._others = {
            **self._others,
            "imagined_return": paths.mean_return,
            "divergence": step.divergence,
        }
