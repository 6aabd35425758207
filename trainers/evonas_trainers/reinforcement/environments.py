"""Environments side by side: gymnasium's, with the end of an episode made explicit.

Gymnasium's vectors start a new episode by themselves. By its default the step after the end ignores
the action, and is no transition at all; here they start it in the same step, and what the last
action led to is kept apart from what is to be acted on next. So every step is a transition.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from evonas import seeds
from evonas.errors import ConfigError
from evonas_trainers.reinforcement.making import first_line, is_atari, vector

MAX_SEED = 2**31

_SHADES = 255


@final
@dataclass(frozen=True)
class Facts:
    """What an environment shows, and what can be done in it.

    Attributes:
        observation: Shape of what is observed; of pictures (channels, height, width).
        actions: How many there are to choose from; of continuous ones, how many numbers make one.
        low: Least value of each number of a continuous action; empty for a choice.
        high: Largest value.
        is_bytes: Whether observations are bytes, as pictures are; then they come as numbers from 0
            to 1, in 255 steps.
    """

    observation: tuple[int, ...]
    actions: int
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    is_bytes: bool = False

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
            "is_bytes": torch.tensor(self.is_bytes),
        }

    @classmethod
    def from_tensors(cls, prepared: Mapping[str, Tensor]) -> "Facts":
        """Read what `to_tensors` wrote."""
        return cls(
            tuple(prepared["observation"].tolist()),
            int(prepared["actions"]),
            tuple(prepared["low"].tolist()),
            tuple(prepared["high"].tolist()),
            bool(prepared["is_bytes"]),
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
    """Copies of one environment, each with draws of its own; closed where a `with` ends.

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
        self._vector: Any = vector(name, number, options or {})
        seen: Any = self._vector.single_observation_space
        self.facts = _facts(name, seen, self._vector.single_action_space)
        self._is_channels_last = seen.shape != self.facts.observation
        drawn = [seeds.integer(seed, "environment", place) % MAX_SEED for place in range(number)]
        with self._blamed("to start"):
            first, _ = self._vector.reset(seed=np.array(drawn) if is_atari(name) else drawn)
        self.current = self._tensor(first)

    def step(self, actions: Tensor) -> Transition:
        """Act in every environment: (environments,) of choices, or (environments, numbers).

        Raises:
            FloatingPointError: if a reward or an observation is not a number.
            RuntimeError: if an environment raises anything, naming it.
        """
        given = actions.cpu().numpy()
        with self._blamed("in a step"):
            observed, rewards, terminated, truncated, found = self._vector.step(given)
        upcoming = self._tensor(observed)
        reached = upcoming.clone()
        for place in np.flatnonzero(terminated | truncated):
            reached[place] = self._tensor(found["final_obs"][place][None])[0]
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

    @contextmanager
    def _blamed(self, when: str) -> Generator[None]:
        """Say of whatever is raised inside that the environment has raised it."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:
            raise RuntimeError(
                f"the environment {self.name!r} failed {when}: {type(error).__name__}:"
                f" {first_line(error)}"
            ) from error

    def _check(self, rewards: np.ndarray[Any, Any], observations: Tensor) -> None:
        if not np.isfinite(rewards).all():
            raise FloatingPointError(f"a reward of {self.name!r} is {rewards.tolist()!r}")
        if not observations.isfinite().all():
            raise FloatingPointError(f"an observation of {self.name!r} is not finite")

    def _tensor(self, observed: Any) -> Tensor:
        """Copy observations of several environments."""
        found = torch.tensor(np.asarray(observed), dtype=torch.float32)
        if self.facts.is_bytes:
            found /= _SHADES
        return found.movedim(-1, 1).contiguous() if self._is_channels_last else found


def facts(name: str, options: Mapping[str, Any] | None = None) -> Facts:
    """Return what an environment shows, and what can be done in it.

    Raises:
        ConfigError: if there is no such environment, or its spaces are of no use here.
    """
    with Environments(name, 1, 0, options) as environments:
        return environments.facts


def require_choices(facts: Facts, environment: str, trainer: str) -> None:
    """Check that one acts in an environment by choosing.

    Raises:
        ConfigError: if one acts by numbers.
    """
    if not facts.is_choice:
        raise ConfigError(
            f"trainer {trainer!r} chooses among actions, and in {environment!r} an action is"
            f" {facts.actions} numbers; take a trainer for these: 'ppo', 'sac' or 'td3'"
        )


def require_numbers(facts: Facts, environment: str, trainer: str) -> None:
    """Check that one acts in an environment by numbers.

    Raises:
        ConfigError: if one chooses.
    """
    if facts.is_choice:
        raise ConfigError(
            f"trainer {trainer!r} has actions that are numbers, and in {environment!r} one of"
            f" {facts.actions} is chosen; take a trainer for choices: 'dqn' or 'ppo'"
        )


def _facts(name: str, observed: object, acted: object) -> Facts:
    """Return the facts of two spaces."""
    if not isinstance(observed, spaces.Box) or len(observed.shape) not in {1, 3}:
        raise ConfigError(
            f"{name!r} is observed as {observed!r}; only vectors and pictures are known: register"
            " it with a wrapper such as gymnasium.wrappers.FlattenObservation"
        )
    is_bytes = observed.dtype == np.uint8
    shape = observed.shape
    if len(shape) == 3 and shape[2] < min(shape[:2]):
        shape = (shape[2], *shape[:2])
    if isinstance(acted, spaces.Discrete) and acted.start == 0:
        return Facts(shape, int(acted.n), is_bytes=is_bytes)
    if isinstance(acted, spaces.Box) and len(acted.shape) == 1 and acted.is_bounded():
        low, high = _numbers(acted.low), _numbers(acted.high)
        return Facts(shape, acted.shape[0], low, high, is_bytes)
    raise ConfigError(
        f"in {name!r} one acts by {acted!r}; only choices from 0 on, and bounded vectors of"
        " numbers, are known: register it with a wrapper such as gymnasium.wrappers.TransformAction"
    )


def _numbers(bound: Any) -> tuple[float, ...]:
    return tuple(float(one) for one in bound)
