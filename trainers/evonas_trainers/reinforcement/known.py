"""What actions bring, where that is known: rewards, and where an episode ends.

Methods that learn only where actions lead need both as functions of what was observed, done and
reached. For some environments they can be read off their code, and stand here; in those of MuJoCo
that pay for progress this takes the position, which must be among the observations.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from evonas.errors import ConfigError
from evonas.plugins import load_attribute

Outcome = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Maps observations (batch, numbers), actions as the environment takes them (batch, actions), and
what they led to, to rewards (batch,) and where the episode came to its end, (batch,) of booleans.
"""

HARMLESS = frozenset({"max_episode_steps", "reset_noise_scale"})
"""Options of environments that change no outcome."""

_POSITION = {"exclude_current_positions_from_observation": False}


@final
@dataclass(frozen=True)
class Known:
    """The outcome of an environment.

    Attributes:
        outcome: Rewards and ends.
        options: With which the environment must be made.
    """

    outcome: Outcome
    options: Mapping[str, Any] = field(default_factory=dict)


def known(environment: str, options: Mapping[str, Any], code: str | None = None) -> Outcome:
    """Return the outcome of an environment.

    Args:
        environment: By its name.
        options: With which it is made.
        code: The user's own outcome at `module:function`, which comes before what is known here.

    Raises:
        ConfigError: if it is not known, or not with these options.
    """
    if code is not None:
        return _function(code)
    own = "give `known` the `module:function` that returns them"
    if environment not in OUTCOMES:
        raise ConfigError(
            f"rewards and ends of {environment!r} are not known as functions; {own} (known:"
            f" {', '.join(sorted(OUTCOMES))})"
        )
    row = OUTCOMES[environment]
    if {name: value for name, value in options.items() if name not in HARMLESS} != row.options:
        raise ConfigError(
            f"rewards and ends of {environment!r} are known with options {dict(row.options)!r}, not"
            f" with {dict(options)!r}; make it so, or {own}"
        )
    return row.outcome


def _function(code: str) -> Outcome:
    found: Outcome = load_attribute(code)
    if not callable(found):
        raise ConfigError(f"{code!r} is {found!r}; name a function")
    return found


def _pendulum(observations: Tensor, actions: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
    angle = torch.atan2(observations[:, 1], observations[:, 0])
    cost = angle**2 + 0.1 * observations[:, 2] ** 2 + 0.001 * actions[:, 0] ** 2
    return -cost, _never(reached)


def _mountain_car(observations: Tensor, actions: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
    del observations
    over = (reached[:, 0] >= 0.45) & (reached[:, 1] >= 0)
    return 100.0 * over - 0.1 * actions[:, 0] ** 2, over


def _inverted_pendulum(
    observations: Tensor, actions: Tensor, reached: Tensor
) -> tuple[Tensor, Tensor]:
    del observations, actions
    over = reached[:, 1].abs() > 0.2
    return (~over).float(), over


def _runner(step: float, control_price: float) -> Outcome:
    """Return the outcome of what runs for ever, and is paid by the speed of its position."""

    def outcome(observations: Tensor, actions: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
        speed = (reached[:, 0] - observations[:, 0]) / step
        return speed - control_price * actions.square().sum(-1), _never(reached)

    return outcome


def _walker(height: tuple[float, float], largest_angle: float) -> Outcome:
    """Return the outcome of what is paid for standing, too, and ends when it falls."""
    run = _runner(0.008, 1e-3)

    def outcome(observations: Tensor, actions: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
        rewards, _ = run(observations, actions, reached)
        stands = (reached[:, 1] > height[0]) & (reached[:, 1] < height[1])
        stands &= reached[:, 2].abs() < largest_angle
        return rewards + stands, ~stands

    return outcome


def _never(reached: Tensor) -> Tensor:
    return torch.zeros(len(reached), dtype=torch.bool, device=reached.device)


OUTCOMES: Mapping[str, Known] = {
    "HalfCheetah-v5": Known(_runner(0.05, 0.1), _POSITION),
    "Hopper-v5": Known(_walker((0.7, math.inf), 0.2), _POSITION),
    "InvertedPendulum-v5": Known(_inverted_pendulum),
    "MountainCarContinuous-v0": Known(_mountain_car),
    "Pendulum-v1": Known(_pendulum),
    "Swimmer-v5": Known(_runner(0.04, 1e-4), _POSITION),
    "Walker2d-v5": Known(_walker((0.8, 2.0), 1.0), _POSITION),
}
"""What is known, by the environment."""
