"""An environment that is learned in seconds: bring a point to 0 and keep it there.

Its name is `reach:Reach-v0`; importing this module registers it.
"""

from typing import Any, final

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Observed = NDArray[np.float32]

NAME = "reach:Reach-v0"
STEPS = 8


@final
class Reach(gymnasium.Env[Observed, Observed]):
    """A point on a line; the action, from -2 to 4, moves it, and 1 leaves it where it is."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-4, 4, (1,))
        self.action_space = spaces.Box(-2, 4, (1,))
        self._place = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Put the point anywhere."""
        super().reset(seed=seed, options=options)
        self._place = float(self.np_random.uniform(-1, 1))
        return self._seen(), {}

    def step(self, action: Observed) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """Move the point; its distance from 0 is what a step costs."""
        assert self.action_space.contains(action), "actions are in the box"
        self._place = float(np.clip(self._place + (action[0] - 1) / 3, -1, 1))
        return self._seen(), -abs(self._place), False, False, {}

    def _seen(self) -> Observed:
        return np.array([self._place], dtype=np.float32)


gymnasium.register("Reach-v0", "reach:Reach", max_episode_steps=STEPS)
