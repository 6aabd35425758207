"""Where imagined episodes end: where the environment's own do, if that is known."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from evonas_trainers.reinforcement.dynamics.branching import Ends
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.known import known


def known_ends(
    environment: str, options: Mapping[str, Any], code: str | None, facts: Facts
) -> Ends:
    """Return the ends of an environment; see `evonas_trainers.reinforcement.known`.

    Raises:
        ConfigError: if they are not known.
    """
    outcome = known(environment, options, code)

    def ends(observations: Tensor, actions: Tensor, reached: Tensor) -> Tensor:
        return outcome(observations, facts.scaled(actions), reached)[1]

    return ends


def never(observations: Tensor, actions: Tensor, reached: Tensor) -> Tensor:
    """Return that no episode is over."""
    del observations, actions
    return torch.zeros(len(reached), dtype=torch.bool, device=reached.device)
