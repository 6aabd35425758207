"""Controllers written by hand, which make data sets of better than random actions."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from evonas.errors import ConfigError

Controller = Callable[[Tensor], Tensor]
"""Maps observations (batch, numbers) to actions between -1 and 1, (batch, actions)."""


def controller(environment: str) -> Controller:
    """Return the controller of an environment.

    Raises:
        ConfigError: if there is none.
    """
    if environment not in CONTROLLERS:
        raise ConfigError(
            f"there is no controller for {environment!r}; give data of 'random', or the path of an"
            f" .npz (controllers: {', '.join(sorted(CONTROLLERS))})"
        )
    return CONTROLLERS[environment]


def _pendulum(observations: Tensor) -> Tensor:
    """Swing up by energy, then balance.

    The energy is 0 where the pendulum stands upright and still; torque along the speed raises it.
    """
    cosine, sine, speed = observations.unbind(1)
    energy = speed**2 / 6 + 5 * (cosine - 1)
    swing = torch.where(speed == 0, 1.0, speed.sign()) * -energy.sign()
    balance = -(8 * sine + 2 * speed) / 2
    return torch.where(cosine > 0.85, balance, swing)[:, None].clamp(-1, 1)


def _inverted_pendulum(observations: Tensor) -> Tensor:
    gains = observations.new_tensor([0.3, 3.0, 0.4, 0.6])
    return (observations @ gains)[:, None].clamp(-1, 1)


def _mountain_car(observations: Tensor) -> Tensor:
    return torch.where(observations[:, 1:] < 0, -1.0, 1.0)


CONTROLLERS: Mapping[str, Controller] = {
    "InvertedPendulum-v5": _inverted_pendulum,
    "MountainCarContinuous-v0": _mountain_car,
    "Pendulum-v1": _pendulum,
}
"""What there is, by the environment."""
