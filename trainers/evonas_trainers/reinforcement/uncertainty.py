"""Two uses of not knowing: to trust what is imagined less, and to explore by optimism.

Both are from MEEE (Yao et al., 2021, https://arxiv.org/abs/2107.01825); see
`evonas_trainers.reinforcement.meee`. Unlike in the authors' code candidate actions are spread in
[-1, 1], by the variance that the code has in a box of that size.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from evonas.errors import ConfigError

_DEVIATION = math.sqrt((1 - -1) / 4)


def trust(disagreement: Tensor, doubt: float) -> Tensor:
    """Return the weights of samples, in (0, 1]: 1 where members agree, as of what is real."""
    return 2 * torch.sigmoid(-doubt * disagreement)


@final
@dataclass(frozen=True, kw_only=True)
class Optimism:
    """How often to be optimistic, and how much.

    Attributes:
        interval: Steps from one action chosen so to the next.
        candidates: Actions to choose from, the policy's own among them.
        bonus: What a deviation of disagreement is worth: lambda of the paper.
    """

    interval: int = 50
    candidates: int = 20
    bonus: float = 1.0

    def __post_init__(self) -> None:
        if self.interval < 1 or self.candidates < 1 or self.bonus < 0:
            raise ConfigError(
                f"needs interval and candidates of 1 or more, bonus of 0 or more, given {self!r}"
            )

    def around(self, action: Tensor, generator: torch.Generator) -> Tensor:
        """Return candidates (candidates, numbers) in [-1, 1]: first (1, numbers), the policy's."""
        noise = torch.randn(
            self.candidates - 1, action.shape[1], generator=generator, device=generator.device
        )
        return torch.cat((action, action + _DEVIATION * noise.to(action.device))).clamp(-1, 1)

    def best(self, candidates: Tensor, values: Tensor, disagreement: Tensor) -> Tensor:
        """Return the candidate (1, numbers) of the largest value plus bonus."""
        place = (values + self.bonus * disagreement).argmax()
        return candidates[place][None]
