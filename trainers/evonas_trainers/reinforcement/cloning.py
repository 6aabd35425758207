"""A policy that starts as whoever made the data: behaviour cloning.

"ALVINN: An Autonomous Land Vehicle in a Neural Network" (Pomerleau, 1988): regression of actions on
what was observed. Beside the means the log-deviations are brought to one number, whatever the
architecture of the policy; that alone is how a policy starts that is to imitate nobody.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from evonas import devices
from evonas.errors import ConfigError
from evonas_trainers.reinforcement.dynamics.experience import Experience


@final
@dataclass(frozen=True, kw_only=True)
class Cloning:
    """How a policy is brought to its start.

    Attributes:
        steps: Of Adam.
        batch_size: Of each.
        lr: Adam's.
        deviation: Of the actions at the start; the box of actions is 2 wide.
    """

    steps: int = 1000
    batch_size: int = 256
    lr: float = 1e-3
    deviation: float = 0.5

    def __post_init__(self) -> None:
        if self.steps < 0 or self.batch_size < 1:
            raise ConfigError(f"steps should be 0 or more, batch_size 1 or more, given {self!r}")
        if self.lr <= 0 or self.deviation <= 0:
            raise ConfigError(f"lr and deviation should be more than 0, given {self!r}")


def clone(
    model: nn.Module,
    experience: Experience,
    cloning: Cloning,
    generator: torch.Generator,
    *,
    imitate: bool = True,
) -> None:
    """Bring a policy to its start, in place; the generator is one of the experience's device.

    Args:
        model: Maps observations to means and then log-deviations.
        experience: Whose actions are imitated.
        cloning: How.
        generator: Draws the batches.
        imitate: Or bring the log-deviations alone to where they start.

    Raises:
        FloatingPointError: if the loss is not finite.
    """
    device = experience.observations.device
    optimizer = torch.optim.Adam(model.parameters(), cloning.lr, fused=devices.fuses(device))
    total = torch.zeros((), device=device)
    for _ in range(cloning.steps):
        shape = (cloning.batch_size,)
        rows = torch.randint(len(experience), shape, generator=generator, device=device)
        mean, log_deviation = model(experience.observations[rows]).chunk(2, -1)
        loss = (log_deviation - math.log(cloning.deviation)).square().mean() / 2
        if imitate:
            loss = loss + (mean - experience.actions[rows]).square().mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
    if not total.isfinite():
        raise FloatingPointError(f"the loss of cloning is {total.item()}")
