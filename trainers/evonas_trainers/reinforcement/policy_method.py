"""What the algorithms have in common by which the policies of a cohort learn."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from evonas.state import State
from evonas_trainers.reinforcement.environments import Environments
from evonas_trainers.reinforcement.policy_cohort import Criterion, PolicyCohort


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Practice:
    """What a method works with.

    Attributes:
        cohort: Of one trial.
        optimizer: Of all its parameters.
        running: The environments of each policy, its own.
        draws: A generator on the device for each policy, so that one more changes no other's.
        device: On which everything is learned.
        horizon: Steps in each environment in a round.
        batch_size: Steps of one gradient.
        discount: What the next step is worth today.
        max_norm: A policy's gradients are scaled down to this norm.
        reward_scale: By which rewards are multiplied before anything is learned from them.
    """

    cohort: PolicyCohort
    optimizer: Optimizer
    running: Mapping[str, Environments]
    draws: Mapping[str, torch.Generator]
    device: torch.device
    horizon: int
    batch_size: int
    discount: float
    max_norm: float
    reward_scale: float

    def descend(
        self, policy: str, observations: Tensor, criterion: Criterion, progress: float
    ) -> Tensor:
        """Let a policy take a step, and what weighs the others for it; return the loss."""
        loss = self.cohort.loss(policy, observations, criterion, progress)
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.cohort.network(policy).parameters(), self.max_norm)
        self.optimizer.step()
        return loss.detach()


class Method(ABC):
    """An algorithm at work in one trial.

    Attributes:
        gradient_steps: So far, those of all policies.
    """

    gradient_steps: int

    @abstractmethod
    def round(self, progress: float) -> Tensor:
        """Let every policy that learns now act for a horizon, and learn; return what they saw.

        Raises:
            FloatingPointError: if a loss is not finite.
        """

    @abstractmethod
    def state(self, state: State) -> State:
        """Return the cohort's state with what else a child inherits."""


def check_finite(loss: Tensor, policy: str) -> None:
    """Refuse to go on from a loss that is no number.

    Raises:
        FloatingPointError: naming the policy.
    """
    if not loss.isfinite():
        raise FloatingPointError(f"the loss of policy {policy!r} is {loss.item()}")
