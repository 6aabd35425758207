"""Environments side by side: gymnasium's, with the end of an episode made explicit.

Gymnasium's vectors start a new episode by themselves. By its default the step after the end ignores
the action, and is no transition at all; here they start it in the same step, and what the last
action led to is kept apart from what is to be acted on next. So every step is a transition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from torch import Tensor

from evonas import seeds
from evonas.errors import ConfigError

MAX_SEED = 2**31


@final
@dataclass(frozen=True)
class Facts:
    """What an environment shows, and what can be done in it.

    Attributes:
        observation: Shape of what is observed.
        actions: How many there are to choose from; of continuous ones, how many numbers make one.
        low: Least value of each number of a continuous action; empty for a choice.
        high: Largest value.
        is_picture: Whether observations are pictures; then they are numbers from 0 to 1, in 255
            steps.
    """

    observation: tuple[int, ...]
    actions: int
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    is_picture: bool = False

    @property
    def is_choice(self) -> bool:
        """Whether an action is one of several."""
        return not self.low

    def scaled(self, units: Tensor) -> Tensor:
        """Return continuous actions in the environment's box: -1 is the least, 1 the largest."""
        low, high = units.new_tensor(self.low), units.new_tensor(self.high)
        return low + (units + 1) / 2 * (high - low)

    def to_tensors(self) -> Mapping[str, Tensor]:
        """Return the facts as `Trainer.prepare` hands them on."""
        return {
            "observation": torch.tensor(self.observation),
            "actions": torch.tensor(self.actions),
            "low": torch.tensor(self.low),
            "high": torch.tensor(self.high),
            "is_picture": torch.tensor(self.is_picture),
        }

    @classmethod
    def from_tensors(cls, prepared: Mapping[str, Tensor]) -> "Facts":
        """Read what `to_tensors` wrote."""
        return cls(
            tuple(prepared["observation"].tolist()),
            int(prepared["actions"]),
            tuple(prepared["low"].tolist()),
            tuple(prepared["high"].tolist()),
            bool(prepared["is_picture"]),
        )


@final
@dataclass(frozen=True)
class Transition:
    """One step of all environments, on the CPU.

    Attributes:
        observations: What the actions led to; of an episode that ended, its last observation.
        rewards: (environments,).
        terminated: Where the episode came to its end: nothing is worth anything after it.
        truncated: Where it was cut off: what came after has its worth.
        upcoming: What to act on next: of an episode that ended, the first observation of the next.
    """

    observations: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    upcoming: Tensor

    @property
    def ended(self) -> Tensor:
        """Where an episode ended, in whatever way."""
        return self.terminated | self.truncated


@final
class Environments:
    """Copies of one environment, each with draws of its own.

    Attributes:
        facts: Of each.
        current: What to act on: (environments, *observation).
    """

    def __init__(
        self, name: str, number: int, seed: int, options: Mapping[str, Any] | None = None
    ) -> None:
        """Start an episode in each.

        Raises:
            ConfigError: if there is no such environment, or its spaces are of no use here.
        """
        self.name = name
        self._vector: Any = _vector(name, number, options or {})
        self.facts = _facts(name, self._vector.single_observation_space, self._action_space)
        drawn = [seeds.integer(seed, "environment", place) % MAX_SEED for place in range(number)]
        first, _ = self._vector.reset(seed=drawn)
        self.current = _tensor(first)

    def step(self, actions: Tensor) -> Transition:
        """Act in every environment: (environments,) of choices, or (environments, numbers).

        Raises:
            FloatingPointError: if a reward or an observation is not a number.
        """
        given = actions.cpu().numpy()
        observed, rewards, terminated, truncated, found = self._vector.step(given)
        upcoming = _tensor(observed)
        reached = upcoming.clone()
        for place in np.flatnonzero(terminated | truncated):
            reached[place] = _tensor(found["final_obs"][place])
        self._check(np.asarray(rewards), reached)
        self.current = upcoming
        return Transition(
            reached,
            torch.as_tensor(rewards, dtype=torch.float32),
            torch.as_tensor(terminated),
            torch.as_tensor(truncated),
            upcoming,
        )

    def close(self) -> None:
        """Free what the environments hold."""
        self._vector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _action_space(self) -> object:
        return self._vector.single_action_space

    def _check(self, rewards: np.ndarray[Any, Any], observations: Tensor) -> None:
        if not np.isfinite(rewards).all():
            raise FloatingPointError(f"a reward of {self.name!r} is {rewards.tolist()!r}")
        if not observations.isfinite().all():
            raise FloatingPointError(f"an observation of {self.name!r} is not finite")


def facts(name: str, options: Mapping[str, Any] | None = None) -> Facts:
    """Return what an environment shows, and what can be done in it.

    Raises:
        ConfigError: if there is no such environment, or its spaces are of no use here.
    """
    with Environments(name, 1, 0, options) as environments:
        return environments.facts


def _vector(name: str, number: int, options: Mapping[str, Any]) -> gymnasium.vector.VectorEnv:
    try:
        return gymnasium.make_vec(
            name,
            num_envs=number,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
            **options,
        )
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"cannot make the environment {name!r}: {message}") from error


def _facts(name: str, observed: object, acted: object) -> Facts:
    """Return the facts of two spaces."""
    if not isinstance(observed, spaces.Box):
        raise ConfigError(f"{name!r} is observed as {observed!r}; only boxes of numbers are known")
    if isinstance(acted, spaces.Discrete) and acted.start == 0:
        return Facts(observed.shape, int(acted.n))
    if isinstance(acted, spaces.Box) and len(acted.shape) == 1 and acted.is_bounded():
        return Facts(observed.shape, acted.shape[0], _numbers(acted.low), _numbers(acted.high))
    raise ConfigError(
        f"in {name!r} one acts by {acted!r}; only choices from 0 on, and bounded vectors of"
        " numbers, are known"
    )


def _numbers(bound: Any) -> tuple[float, ...]:
    return tuple(float(one) for one in bound)


def _tensor(observed: Any) -> Tensor:
    return torch.as_tensor(np.asarray(observed), dtype=torch.float32).clone()
