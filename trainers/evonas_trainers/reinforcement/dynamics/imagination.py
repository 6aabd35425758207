"""An ensemble at work: fitted to what was seen, imagining from there, and found right or wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from evonas import seeds
from evonas.state import State
from evonas_trainers.reinforcement.dynamics.branching import (
    Branching,
    Ends,
    Imagined,
    Memory,
    Policy,
    World,
    columns_in,
    columns_out,
    joined,
    latest,
)
from evonas_trainers.reinforcement.dynamics.gaussian import (
    EnsembleSettings,
    ProbabilisticEnsemble,
    disagreement,
)
from evonas_trainers.reinforcement.dynamics.ranks import rank_correlation
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.replay import Batch


@final
@dataclass(frozen=True)
class Draws:
    """Of what an imagination draws.

    Attributes:
        fitting: First weights, and the order of rows; of the CPU.
        world: Starts, elites and noise; of the device.
    """

    fitting: torch.Generator
    world: torch.Generator

    @classmethod
    def of(cls, seed: int, device: torch.device) -> "Draws":
        """Begin at a seed."""
        fitting, world = torch.Generator(), torch.Generator(device)
        fitting.manual_seed(seeds.integer(seed, "fitting"))
        world.manual_seed(seeds.integer(seed, "world"))
        return cls(fitting, world)


@final
@dataclass
class _Findings:
    """What was found on real steps that the ensemble had not seen yet, summed up over times."""

    times: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, found: Mapping[str, float]) -> None:
        self.times += 1
        for name, value in found.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    @property
    def means(self) -> Mapping[str, float]:
        return {name: value / self.times for name, value in self.sums.items()}


@final
class Imagination:
    """Grows with what is seen, and makes steps of it that were not.

    Attributes:
        ensemble: What imagines.
        memory: What has been imagined of late.
        imagined_steps: How many have been imagined so far.
        is_trained: Whether the ensemble has learned from anything yet.
        macs: Multiply-accumulates of the ensemble so far; a pass with gradients counts thrice.
    """

    def __init__(
        self,
        facts: Facts,
        settings: EnsembleSettings,
        branching: Branching,
        ends: Ends,
        draws: Draws,
    ) -> None:
        seen, device = facts.observation[0], draws.world.device
        self.ensemble = ProbabilisticEnsemble(
            seen + facts.actions, 1 + seen, settings, draws.fitting, device
        )
        self.memory = Memory(branching.retained)
        self.imagined_steps = self.macs = 0
        self._branching, self._draws = branching, draws
        self._world = World(self.ensemble, ends, draws.world)
        self._findings, self._num_seen, self.is_trained = _Findings(), 0, False

    def renew(self, seen: Batch, policy: Policy, step: int) -> None:
        """Fit the ensemble to all steps seen, oldest first, and imagine anew.

        Raises:
            FloatingPointError: if the ensemble or what it imagines is not finite.
        """
        fresh = latest(seen, len(seen.rewards) - self._num_seen)
        if self.is_trained and len(fresh.rewards):
            self._findings.add(self._found(fresh))
        inputs = columns_in(seen.observations, seen.actions)
        fitted = self.ensemble.fit(inputs, columns_out(seen), self._draws.fitting)
        passes = 2 * fitted.rows + fitted.epochs * len(inputs)
        self._num_seen, self.is_trained = len(inputs), True
        self._charge(passes + len(fresh.rewards))
        starts = self._starts(seen.observations)
        imagined = self._world.imagine(policy, starts, self._branching.length_at(step))
        self.memory.add(imagined)
        number = sum(len(one.disagreement) for one in imagined)
        self.imagined_steps += number
        self._charge(number)

    def joined(self, seen: Batch, size: int) -> Imagined:
        """Draw so many imagined steps; return them behind those that were seen."""
        drawn = self.memory.sample(size, self._draws.world)
        known = drawn.disagreement.new_zeros(len(seen.rewards))
        return Imagined(joined([seen, drawn.batch]), torch.cat((known, drawn.disagreement)))

    @torch.no_grad()
    def disagreement(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return how far the members are apart about what actions lead to, (batch,)."""
        self._charge(len(actions))
        means, _ = self.ensemble(columns_in(observations, actions))
        return disagreement(means)

    @property
    def findings(self) -> Mapping[str, float]:
        """How much has been imagined, and how right the ensemble was about steps new to it."""
        return {"imagined_steps": float(self.imagined_steps), **self._findings.means}

    def state(self) -> State:
        """Return the ensemble's state."""
        return State.of(self.ensemble, self.ensemble.optimizer)

    def inherit(self, state: State) -> None:
        """Go on from a parent's ensemble, if it had one of the same shape."""
        if _shapes(state.tensors) != _shapes(self.ensemble.state_dict()):
            return
        self.ensemble.load_state_dict(dict(state.tensors))
        state.restore_optimizer(self.ensemble, self.ensemble.optimizer)
        self.is_trained = True

    def _starts(self, observations: Tensor) -> Tensor:
        """Draw from where to imagine."""
        where = self._draws.world.device
        drawn = torch.randint(
            len(observations),
            (self._branching.rollouts,),
            generator=self._draws.world,
            device=where,
        )
        return observations[drawn.to(observations.device)]

    @torch.no_grad()
    def _found(self, fresh: Batch) -> Mapping[str, float]:
        """Return how right the ensemble is about steps that it has not seen."""
        inputs = columns_in(fresh.observations, fresh.actions)
        errors = self.ensemble.errors(inputs, columns_out(fresh))
        apart = disagreement(self.ensemble(inputs)[0])
        return {
            "model_error": errors.mean().item(),
            "disagreement_rank": rank_correlation(apart, errors),
        }

    def _charge(self, rows: int) -> None:
        self.macs += rows * self.ensemble.macs


def _shapes(tensors: Mapping[str, Tensor]) -> Mapping[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
