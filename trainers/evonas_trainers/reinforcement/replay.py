"""What was seen and done in an environment, kept to learn from many times.

"Self-Improving Reactive Agents Based On Reinforcement Learning, Planning and Teaching" (Lin, 1992,
https://doi.org/10.1007/BF00992699). The tensors live where they are learned from.
"""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from evonas_trainers.reinforcement.environments import Facts

_SHADES = 255
"""Pictures are kept as bytes, a quarter of what they take as floats, and nothing is lost."""


@final
@dataclass(frozen=True)
class Batch:
    """Steps drawn from a replay buffer, on its device.

    Attributes:
        observations: What was acted on: (batch, *observation).
        actions: What was done: (batch,) of choices, or (batch, numbers).
        rewards: (batch,).
        next_observations: What the actions led to.
        terminated: Where the episode came to its end there, so that nothing more is to be had;
            where it was only cut off this is False.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    terminated: Tensor

    def worth(self, later: Tensor, discount: float) -> Tensor:
        """Return what the steps were worth, given what comes after them: r + gamma V(s')."""
        return self.rewards + discount * ~self.terminated * later


@final
class Replay:
    """The latest steps, at most `capacity` of them; the oldest make room for new ones."""

    def __init__(self, capacity: int, facts: Facts, device: torch.device) -> None:
        assert capacity > 0, "a buffer holds something"
        seen = torch.uint8 if facts.is_bytes else torch.float32
        shape = (capacity, *facts.observation)
        self._capacity, self._added, self._is_bytes = capacity, 0, facts.is_bytes
        self._observations = torch.zeros(shape, dtype=seen, device=device)
        self._next_observations = torch.zeros(shape, dtype=seen, device=device)
        self._actions = (
            torch.zeros(capacity, dtype=torch.int64, device=device)
            if facts.is_choice
            else torch.zeros((capacity, facts.actions), device=device)
        )
        self._rewards = torch.zeros(capacity, device=device)
        self._terminated = torch.zeros(capacity, dtype=torch.bool, device=device)

    def __len__(self) -> int:
        return min(self._added, self._capacity)

    def add(
        self,
        observations: Tensor,
        actions: Tensor,
        rewards: Tensor,
        next_observations: Tensor,
        terminated: Tensor,
    ) -> None:
        """Keep a batch of steps, from whatever device; see `Batch` for what they are."""
        kept = slice(max(0, len(rewards) - self._capacity), None)
        number = min(len(rewards), self._capacity)
        rows = torch.arange(self._added, self._added + number, device=self._rewards.device)
        rows %= self._capacity
        for mine, given in (
            (self._observations, self._packed(observations)),
            (self._actions, actions),
            (self._rewards, rewards),
            (self._next_observations, self._packed(next_observations)),
            (self._terminated, terminated),
        ):
            mine[rows] = given[kept].to(mine)
        self._added += number

    def sample(self, size: int, generator: torch.Generator) -> Batch:
        """Draw steps uniformly, the same one perhaps twice."""
        drawn = torch.randint(len(self), (size,), generator=generator, device=generator.device)
        rows = drawn.to(self._rewards.device)
        return self._at(rows)

    def everything(self) -> Batch:
        """Return all steps there are; in the order they came until the oldest have made room."""
        return self._at(torch.arange(len(self), device=self._rewards.device))

    def _at(self, rows: Tensor) -> Batch:
        return Batch(
            self._unpacked(self._observations[rows]),
            self._actions[rows],
            self._rewards[rows],
            self._unpacked(self._next_observations[rows]),
            self._terminated[rows],
        )

    def _packed(self, observations: Tensor) -> Tensor:
        if not self._is_bytes:
            return observations
        return (observations * _SHADES).round().to(torch.uint8)

    def _unpacked(self, kept: Tensor) -> Tensor:
        return kept / _SHADES if self._is_bytes else kept
