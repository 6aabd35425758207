"""Two critics of actions, which actors by gradient have in common.

"Addressing Function Approximation Error in Actor-Critic Methods" (Fujimoto et al., 2018,
https://arxiv.org/abs/1802.09477): of two, the lesser is believed.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.networks import Signature, Signatures
from evonas_trainers.reinforcement.environments import Facts

CRITICS = ("critic1", "critic2")
"""The names of the networks."""


def signatures(facts: Facts, outputs: int) -> Signatures:
    """Return an actor of so many outputs a number of the action, and its critics.

    Raises:
        ConfigError: if one does not observe a vector of numbers.
    """
    assert not facts.is_choice, "`prepare` has seen to it"
    if len(facts.observation) != 1:
        raise ConfigError(
            f"the environment is observed as {facts.observation!r}; critics take observation and"
            " action as one vector"
        )
    seen, numbers = facts.observation[0], facts.actions
    critic = Signature((seen + numbers,), (1,))
    return {"actor": Signature((seen,), (outputs * numbers,)), **dict.fromkeys(CRITICS, critic)}


def values(critics: Sequence[nn.Module], observations: Tensor, actions: Tensor) -> Tensor:
    """Return what each critic says of each action, (critics, batch)."""
    inputs = torch.cat([observations, actions], 1)
    return torch.stack([critic(inputs).squeeze(1) for critic in critics])


def critics_loss(predicted: Tensor, wanted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return half the squared errors of the critics, (critics, batch), added up."""
    errors = (predicted - wanted.detach()).square().sum(0) / 2
    return weighted_mean(errors, weights)


def weighted_mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean of losses times weights, all of them (batch,); of None all are 1."""
    return losses.mean() if weights is None else (losses * weights).mean()
