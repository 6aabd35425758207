"""Steps that an ensemble imagines, branching off from steps that were seen.

"When to Trust Your Model: Model-Based Policy Optimization" (Janner et al., 2019,
https://arxiv.org/abs/1906.08253): short rollouts of the policy from states of the real environment,
with another elite drawn in every step, so that errors of the model have no time to add up. How
long, is a schedule in real steps.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import final

import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.dynamics.gaussian import ProbabilisticEnsemble
from evonas_trainers.reinforcement.replay import Batch

Policy = Callable[[Tensor], Tensor]
"""Maps observations (batch, numbers) to actions in [-1, 1], (batch, numbers)."""

Ends = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps observations, actions and what they led to, to where the episode is over, (batch,)."""


@final
@dataclass(frozen=True, kw_only=True)
class Branching:
    """When, from where and how far to imagine.

    Attributes:
        interval: Real steps from one fitting of the ensemble, and imagining with it, to the next.
        rollouts: Each time.
        length: Steps of a rollout at first.
        last_length: In the end.
        growth_begin: Real steps after which rollouts begin to get longer.
        growth_end: Real steps after which they have their last length.
        retained: Steps are kept until they have been imagined anew so many times.
    """

    interval: int = 100
    rollouts: int = 2000
    length: int = 1
    last_length: int = 1
    growth_begin: int = 0
    growth_end: int = 1000
    retained: int = 1

    def __post_init__(self) -> None:
        if min(self.interval, self.rollouts, self.length, self.last_length, self.retained) < 1:
            raise ConfigError(f"intervals, numbers and lengths should be 1 or more, given {self!r}")
        if not 0 <= self.growth_begin < self.growth_end:
            raise ConfigError(
                "rollouts begin to get longer before they end to, at 0 or later, given growth_begin"
                f" {self.growth_begin!r} and growth_end {self.growth_end!r}"
            )

    def length_at(self, step: int) -> int:
        """Return how long rollouts are after so many real steps, in whole steps passed."""
        progress = (step - self.growth_begin) / (self.growth_end - self.growth_begin)
        progress = min(1.0, max(0.0, progress))
        return int(self.length + progress * (self.last_length - self.length))


@final
@dataclass(frozen=True)
class Imagined:
    """Imagined steps, and how far the members disagreed in each of them.

    Attributes:
        batch: The steps.
        disagreement: (batch,), in deviations of what was seen.
    """

    batch: Batch
    disagreement: Tensor


def columns_in(observations: Tensor, actions: Tensor) -> Tensor:
    """Return what the ensemble is told."""
    return torch.cat((observations, actions), dim=-1)


def columns_out(batch: Batch) -> Tensor:
    """Return what the ensemble has to tell: the reward, and the change of the observation."""
    change = batch.next_observations - batch.observations
    return torch.cat((batch.rewards[:, None], change), dim=-1)


@final
@dataclass(frozen=True)
class World:
    """What an ensemble takes the environment for.

    Attributes:
        ensemble: Maps observations and actions to rewards and changes of observations.
        ends: The environment's own; it is known, not learned.
        generator: Draws elites and noise.
    """

    ensemble: ProbabilisticEnsemble
    ends: Ends
    generator: torch.Generator

    @torch.no_grad()
    def imagine(self, policy: Policy, starts: Tensor, length: int) -> list[Imagined]:
        """Return the steps of a rollout from each start; those that are over go no further.

        Raises:
            FloatingPointError: if a rollout leaves all bounds.
        """
        found: list[Imagined] = []
        observations = starts
        while len(found) < length and len(observations):
            actions = policy(observations)
            told = columns_in(observations, actions)
            outputs, apart = self.ensemble.sample(told, self.generator)
            if not outputs.isfinite().all():
                raise FloatingPointError(f"what is imagined in step {len(found) + 1} is not finite")
            reached = observations + outputs[:, 1:]
            over = self.ends(observations, actions, reached)
            batch = Batch(observations, actions, outputs[:, 0], reached, over)
            found.append(Imagined(batch, apart))
            observations = reached[~over]
        return found


@final
class Memory:
    """Imagined steps of the last few times; what was imagined before is forgotten."""

    def __init__(self, retained: int) -> None:
        self._times: deque[Imagined] = deque(maxlen=retained)
        self._all: Imagined | None = None

    def __len__(self) -> int:
        return 0 if self._all is None else len(self._all.disagreement)

    def add(self, steps: Sequence[Imagined]) -> None:
        """Keep what has been imagined at one time."""
        self._times.append(_joined(steps))
        self._all = _joined(self._times)

    def sample(self, size: int, generator: torch.Generator) -> Imagined:
        """Draw steps uniformly, the same one perhaps twice."""
        assert self._all is not None, "something has been imagined"
        drawn = torch.randint(len(self), (size,), generator=generator, device=generator.device)
        rows = drawn.to(self._all.disagreement.device)
        return Imagined(picked(self._all.batch, rows), self._all.disagreement[rows])


def picked(batch: Batch, rows: Tensor | slice) -> Batch:
    """Return some of the steps."""
    return Batch(*(getattr(batch, field.name)[rows] for field in fields(batch)))


def latest(batch: Batch, number: int) -> Batch:
    """Return the last steps."""
    return picked(batch, slice(len(batch.rewards) - number, None))


def joined(batches: Sequence[Batch]) -> Batch:
    """Return steps after each other."""
    return Batch(
        *(torch.cat([getattr(one, field.name) for one in batches]) for field in fields(Batch))
    )


def _joined(steps: Sequence[Imagined]) -> Imagined:
    apart = torch.cat([one.disagreement for one in steps])
    return Imagined(joined([one.batch for one in steps]), apart)
