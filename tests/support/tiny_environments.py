"""Environments that are learned in seconds, or go wrong on purpose; importing registers them.

They are named as `support.tiny_environments:Count-v0`.
"""

from abc import ABC, abstractmethod
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation

HERE = "support.tiny_environments"


class _Tiny(gymnasium.Env[Any, Any], ABC):
    """What they share: one number is observed, and episodes know how long they are."""

    observation_space = spaces.Box(-100.0, 100.0, (1,), np.float32)
    action_space = spaces.Discrete(2)
    state = 0.0
    steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.state, self.steps = self.start(), 0
        return self.shown(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        reward, is_over = self.act(action)
        return self.shown(), reward, is_over, False, {}

    def start(self) -> float:
        return 0.0

    def shown(self) -> Any:
        return np.array([self.state], np.float32)

    @abstractmethod
    def act(self, action: Any) -> tuple[float, bool]:
        """Return the reward, and whether the episode is over."""


@final
class Count(_Tiny):
    """Shows how often one has acted since the start, and pays the action; over after `length`."""

    def __init__(self, length: int = 3) -> None:
        self.length = length

    def act(self, action: Any) -> tuple[float, bool]:
        self.state += 1
        return float(action), self.steps >= self.length


@final
class Swing(_Tiny):
    """Shows 0 or 1, pays that whatever one does, and then shows the other; over after `length`."""

    def __init__(self, length: int) -> None:
        self.length = length

    def start(self) -> float:
        return float(self.np_random.integers(2))

    def act(self, action: Any) -> tuple[float, bool]:
        paid, self.state = self.state, 1 - self.state
        return paid, self.steps >= self.length


@final
class Drawn(_Tiny):
    """Shows a number drawn at the start; over after two steps."""

    def start(self) -> float:
        return float(self.np_random.uniform(-1, 1))

    def act(self, action: Any) -> tuple[float, bool]:
        return 0.0, self.steps >= 2


@final
class Corridor(_Tiny):
    """Six places in a row; 1 pays one step to the right end, where it is over, and 0 leads back."""

    observation_space = spaces.Box(0.0, 1.0, (6,), np.float32)

    def shown(self) -> Any:
        return np.eye(6, dtype=np.float32)[int(self.state)]

    def act(self, action: Any) -> tuple[float, bool]:
        self.state = self.state + 1 if action == 1 else max(0.0, self.state - 1)
        return (1.0 if self.state == 5 else 0.0), self.state == 5


@final
class Aim(_Tiny):
    """Shows a number; the action should be the same in the box from 0 to 4; over after a step."""

    observation_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space: Any = spaces.Box(0.0, 4.0, (1,), np.float32)

    def start(self) -> float:
        return float(self.np_random.uniform(-1, 1))

    def act(self, action: Any) -> tuple[float, bool]:
        return -abs(float(action[0]) - 2 * (self.state + 1)), True


@final
class Broken(_Tiny):
    """Goes wrong in the third step, as it is told."""

    def __init__(self, how: str) -> None:
        self.how = how

    def act(self, action: Any) -> tuple[float, bool]:
        if self.steps < 3:
            return 0.0, False
        match self.how:
            case "raise":
                raise ValueError("the wheels\nhave come off")
            case "nan reward":
                return float("nan"), False
            case _:
                self.state = float("inf")
                return 0.0, False


@final
class Fragile(_Tiny):
    """Goes wrong in its twentieth episode, as it is told; an episode is over after two steps."""

    def __init__(self, how: str) -> None:
        self.how, self.episodes = how, 0

    def start(self) -> float:
        self.episodes += 1
        return 0.0

    def act(self, action: Any) -> tuple[float, bool]:
        if self.episodes < 20:
            return float(action), self.steps >= 2
        if self.how == "raise":
            raise ValueError("the wheels have come off")
        return float("nan"), False


@final
class Shaped(_Tiny):
    """Shows and takes whatever it is told to."""

    def __init__(self, shown: spaces.Space[Any], taken: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = shown, taken

    def shown(self) -> Any:
        return self.observation_space.sample()

    def act(self, action: Any) -> tuple[float, bool]:
        return 0.0, True


for _class in (Count, Swing, Drawn, Corridor, Aim, Broken, Fragile, Shaped):
    _limit = 20 if _class is Corridor else None
    gymnasium.register(
        f"{_class.__name__}-v0", f"{HERE}:{_class.__name__}", max_episode_steps=_limit
    )

gymnasium.register(
    "FlatLake-v0",
    "gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv",
    additional_wrappers=(FlattenObservation.wrapper_spec(),),
    max_episode_steps=100,
)
