"""Paths of a policy through an ensemble's imagination.

A path starts where the real environment has been, and goes on until its horizon. Where the known
outcome says that an episode would have come to its end, the path is put to another start. Rewards
are the known ones: only where actions lead has been learned.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.measure import evaluating
from evonas_trainers.reinforcement.advantages import Steps, advantages
from evonas_trainers.reinforcement.distributions import Gaussian
from evonas_trainers.reinforcement.dynamics.deterministic import Dynamics
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.known import Outcome
from evonas_trainers.reinforcement.linear_baseline import expected
from evonas_trainers.reinforcement.trust_region import Acted


@final
@dataclass(frozen=True, kw_only=True)
class Imagining:
    """How much is imagined, and what it is worth.

    Attributes:
        steps: In one iteration; some more, if paths and members ask for it.
        horizon: Steps of a path.
        discount: What the next step is worth today.
        trace: See `evonas_trainers.reinforcement.advantages`.
    """

    steps: int = 4000
    horizon: int = 100
    discount: float = 0.99
    trace: float = 0.95

    def __post_init__(self) -> None:
        if min(self.steps, self.horizon) < 1:
            raise ConfigError(f"steps and horizon should be 1 or more, given {self!r}")
        if not 0 <= self.discount <= 1 or not 0 <= self.trace <= 1:
            raise ConfigError(f"discount and trace should be 0 to 1, given {self!r}")


@final
@dataclass(frozen=True)
class Paths:
    """What was imagined, (steps, paths).

    Attributes:
        observations: (steps, paths, numbers).
        actions: As the policy drew them, (steps, paths, actions).
        rewards: (steps, paths).
        terminated: Where an episode came to its end.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor

    @property
    def mean_return(self) -> float:
        """Rewards of a whole horizon, on average."""
        return self.rewards.sum(0).mean().item()


@final
@dataclass(frozen=True)
class World:
    """What a policy imagines in.

    Attributes:
        dynamics: Where actions lead.
        outcome: What they bring.
        starts: Where paths start, (any, numbers).
        facts: Of the real environment.
    """

    dynamics: Dynamics
    outcome: Outcome
    starts: Tensor
    facts: Facts


def imagine(
    model: nn.Module, world: World, imagining: Imagining, generator: torch.Generator
) -> Paths:
    """Let a policy act in a world; the generator is one of the device.

    Raises:
        FloatingPointError: if a reward or an observation is not finite.
    """
    members = world.dynamics.network.shape.members
    number = members * math.ceil(imagining.steps / imagining.horizon / members)
    found: list[tuple[Tensor, ...]] = []
    now = _starts(world, number, generator)
    with evaluating(model):
        for _ in range(imagining.horizon):
            drawn = Gaussian.of(model(now)).sample(generator)
            units = drawn.clamp(-1, 1)
            reached = world.dynamics.reached(now, units, generator)
            rewards, over = world.outcome(now, world.facts.scaled(units), reached)
            found.append((now, drawn, rewards, over))
            now = torch.where(over[:, None], _starts(world, number, generator), reached)
    paths = Paths(*(torch.stack(column) for column in zip(*found, strict=True)))
    if not (paths.rewards.isfinite().all() and paths.observations.isfinite().all()):
        raise FloatingPointError("what the dynamics imagine is not finite")
    return paths


def acted(paths: Paths, world: World, imagining: Imagining) -> Acted:
    """Return the actions with how much better they were than expected, standardised."""
    found = gained(paths, world, imagining).flatten()
    standard = (found - found.mean()) / (found.std(correction=0) + 1e-8)
    return Acted(paths.observations.flatten(0, 1), paths.actions.flatten(0, 1), standard)


def gained(paths: Paths, world: World, imagining: Imagining) -> Tensor:
    """Return how much better each action was than a fitted baseline expects, (steps, paths).

    Nothing is expected beyond the horizon, of which the baseline knows by the time.
    """
    over = paths.terminated.clone()
    over[-1] = True
    nothing = torch.zeros_like(paths.rewards)
    summed = Steps(paths.rewards, nothing, nothing, over, over)
    returns = advantages(summed, imagining.discount, 1.0)
    values = expected(world.dynamics.inputs.apply(paths.observations), returns)
    later = torch.cat([values[1:], nothing[:1]])
    steps = Steps(paths.rewards, values, later, over, over)
    return advantages(steps, imagining.discount, imagining.trace)


def _starts(world: World, number: int, generator: torch.Generator) -> Tensor:
    device = world.starts.device
    rows = torch.randint(len(world.starts), (number,), generator=generator, device=device)
    return world.starts[rows]
