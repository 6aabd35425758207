"""How much better an action was than expected.

"High-Dimensional Continuous Control Using Generalized Advantage Estimation" (Schulman et al., 2015,
https://arxiv.org/abs/1506.02438). The paper has episodes without a limit of time. Where one is cut
off, what the value network expects of the observation that was reached stands for the rest, as in
"Time Limits in Reinforcement Learning" (Pardo et al., 2018, https://arxiv.org/abs/1712.00378).
"""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Steps:
    """Steps in environments side by side; all tensors are (steps, environments).

    Attributes:
        rewards: Of each step.
        values: Expected of the observations acted on.
        reached_values: Expected of the observations that the actions led to, be they the last.
        terminated: Where nothing comes after.
        ended: Where the next row belongs to another episode.
    """

    rewards: Tensor
    values: Tensor
    reached_values: Tensor
    terminated: Tensor
    ended: Tensor


def advantages(steps: Steps, discount: float, trace: float) -> Tensor:
    """Return the generalised advantages, equation 16: sums of errors that fade with distance.

    Args:
        steps: What happened.
        discount: What the next step is worth today.
        trace: By how much an error further on counts less; 0 trusts the values, 1 the rewards.
    """
    errors = steps.rewards + discount * ~steps.terminated * steps.reached_values - steps.values
    fading = discount * trace * ~steps.ended
    found = torch.empty_like(errors)
    later = torch.zeros_like(errors[0])
    for step in reversed(range(len(errors))):
        later = errors[step] + fading[step] * later
        found[step] = later
    return found


def standardised(gained: Tensor) -> Tensor:
    """Return the advantages of a batch with mean 0 and deviation 1."""
    return (gained - gained.mean()) / (gained.std(correction=0) + 1e-8)
