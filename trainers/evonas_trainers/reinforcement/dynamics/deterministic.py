"""Deterministic dynamics: each member says by how much an action changes what is observed.

The model of "Model-Ensemble Trust-Region Policy Optimization" (Kurutach et al., 2018,
https://arxiv.org/abs/1802.10592), which BREMEN has taken over. Difference: a predicted change is
held within those that were seen, so that what is imagined cannot grow without bounds.
"""

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from evonas import devices
from evonas.errors import ConfigError
from evonas_trainers.reinforcement.dynamics.experience import Experience
from evonas_trainers.reinforcement.dynamics.fitting import (
    Fitted,
    Fitting,
    Learner,
    fit,
    squared_error,
)
from evonas_trainers.reinforcement.dynamics.network import Ensemble, Shape
from evonas_trainers.reinforcement.dynamics.scale import Scale


@final
@dataclass(frozen=True, kw_only=True)
class Learning:
    """How large the ensemble is, and how it is fitted.

    Defaults are for thousands of steps; the authors of BREMEN, with a million, take networks 1024
    wide, batches of 1000, and up to 200 epochs with a patience of 20.

    Attributes:
        shape: Of the ensemble.
        fitting: When to end.
        lr: Adam's.
        weight_decay: Adam's.
    """

    shape: Shape = field(default_factory=Shape)
    fitting: Fitting = field(
        default_factory=lambda: Fitting(epochs=60, patience=10, improvement=0.01, batch_size=256)
    )
    lr: float = 1e-3
    weight_decay: float = 1e-5

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.weight_decay < 0:
            raise ConfigError(f"lr should be more than 0, weight_decay 0 or more, given {self!r}")


@final
@dataclass(frozen=True)
class Dynamics:
    """An ensemble that has been fitted to changes of observations.

    Attributes:
        network: Of standardised observations and actions to standardised changes.
        inputs: Scale of observations.
        changes: Scale of changes.
        least: Change of each number that was seen, standardised.
        largest: The same.
    """

    network: Ensemble
    inputs: Scale
    changes: Scale
    least: Tensor
    largest: Tensor

    def reached(self, observations: Tensor, actions: Tensor, generator: torch.Generator) -> Tensor:
        """Return where actions lead, (rows, numbers): each row by a member drawn for it.

        Every member gets equally many rows, so their number must be a multiple of the members'.
        The generator is one of the device.
        """
        rows, members = len(observations), self.network.shape.members
        assert rows % members == 0, "`imagine` sees to it"
        drawn = torch.randperm(rows, generator=generator, device=observations.device)
        given = torch.cat([self.inputs.apply(observations), actions], -1)[drawn]
        said = self.network(given.reshape(members, rows // members, -1)).flatten(0, 1)
        change = torch.empty_like(said)
        change[drawn] = said
        return observations + self.changes.undo(change.clamp(self.least, self.largest))


def learned(
    experience: Experience, learning: Learning, generator: torch.Generator
) -> tuple[Dynamics, Fitted]:
    """Fit an ensemble with fresh weights to experience, where that is.

    The generator is one of the CPU.
    """
    device = experience.observations.device
    inputs = Scale.of(experience.observations)
    change = experience.reached - experience.observations
    changes = Scale.of(change)
    targets = changes.apply(change)
    given = torch.cat([inputs.apply(experience.observations), experience.actions], -1)
    network = Ensemble(learning.shape, given.shape[1], targets.shape[1], generator).to(device)
    optimizer = torch.optim.Adam(
        network.parameters(),
        learning.lr,
        weight_decay=learning.weight_decay,
        fused=devices.fuses(device),
    )
    learner = Learner(network, squared_error, optimizer)
    fitted = fit(learner, given, targets, learning.fitting, generator)
    found = Dynamics(network, inputs, changes, targets.amin(0), targets.amax(0))
    return found, fitted
