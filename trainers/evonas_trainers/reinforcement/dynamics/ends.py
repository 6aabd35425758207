"""Where imagined episodes end: where the environment's own do, if that is known."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from evonas_trainers.reinforcement.dynamics.branching import Ends
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.known import known

NEVER = "never"
"""Stands for ends where there are none: where episodes are only ever cut off."""


def ends_of(environment: str, options: Mapping[str, Any], code: str | None, facts: Facts) -> Ends:
    """Return the ends of an environment.

    Args:
        environment: By its name.
        options: With which it is made.
        code: `NEVER`, or as in `evonas_trainers.reinforcement.known`, or None for what is known.
        facts: Of the environment.

    Raises:
        ConfigError: if they are not known.
    """
    if code == NEVER:
        return _never
    outcome = known(environment, options, code)

    def ends(observations: Tensor, actions: Tensor, reached: Tensor) -> Tensor:
        return outcome(observations, facts.scaled(actions), reached)[1]

    return ends


def _never(observations: Tensor, actions: Tensor, reached: Tensor) -> Tensor:
    del observations, actions
    return torch.zeros(len(reached), dtype=torch.bool, device=reached.device)
