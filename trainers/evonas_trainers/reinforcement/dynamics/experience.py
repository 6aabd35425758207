"""Steps of a real environment, from which what actions lead to is learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from evonas_trainers.reinforcement.distributions import Gaussian
from evonas_trainers.reinforcement.environments import Environments

Act = Callable[[Tensor], Tensor]
"""Maps observations (batch, numbers) to actions, (batch, actions); beyond -1 and 1 they are cut."""


@final
@dataclass(frozen=True)
class Experience:
    """Steps in any order.

    Attributes:
        observations: What was acted on, (steps, numbers).
        actions: What was done, between -1 and 1, (steps, actions).
        reached: What it led to, (steps, numbers).
    """

    observations: Tensor
    actions: Tensor
    reached: Tensor

    def __len__(self) -> int:
        return len(self.observations)

    def plus(self, other: "Experience") -> "Experience":
        """Return the steps of both."""
        return Experience(
            torch.cat([self.observations, other.observations]),
            torch.cat([self.actions, other.actions]),
            torch.cat([self.reached, other.reached]),
        )

    def to(self, device: torch.device) -> "Experience":
        """Return the steps on a device."""
        moved = (one.to(device) for one in (self.observations, self.actions, self.reached))
        return Experience(*moved)

    def to_tensors(self) -> Mapping[str, Tensor]:
        """Return the steps as `Trainer.prepare` hands them on."""
        return {
            "data_observations": self.observations,
            "data_actions": self.actions,
            "data_reached": self.reached,
        }

    @classmethod
    def from_tensors(cls, prepared: Mapping[str, Tensor]) -> "Experience":
        """Read what `to_tensors` wrote."""
        names = ("data_observations", "data_actions", "data_reached")
        return cls(*(prepared[name] for name in names))


def drawn(policy: nn.Module, draws: torch.Generator) -> Act:
    """Return how a Gaussian policy acts: by draws, on the generator's device."""

    def act(observations: Tensor) -> Tensor:
        with torch.no_grad():
            return Gaussian.of(policy(observations.to(draws.device))).sample(draws)

    return act


def collect(act: Act, environments: Environments, steps: int) -> Experience:
    """Act in all environments side by side, until there are so many steps, on the CPU."""
    facts, found, num_found = environments.facts, list[Experience](), 0
    while num_found < steps:
        seen = environments.current
        units = act(seen).cpu().clamp(-1, 1)
        transition = environments.step(facts.scaled(units))
        found.append(Experience(seen, units, transition.observations))
        num_found += len(seen)
    together = (
        torch.cat([one.observations for one in found])[:steps],
        torch.cat([one.actions for one in found])[:steps],
        torch.cat([one.reached for one in found])[:steps],
    )
    return Experience(*together)
