"""Fitting an ensemble: batches of its own for each member, until none of them gets better.

Rows that are held out, the same for all members, say when: each member keeps the weights with which
it was best on them. Members differ in their first weights and in the order of their batches.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.dynamics.network import Ensemble

Loss = Callable[[Tensor, Tensor], Tensor]
"""Maps outputs and targets, each (members, batch, numbers), to a loss a member, (members,)."""

LEAST_ROWS = 4


@final
@dataclass(frozen=True, kw_only=True)
class Fitting:
    """When fitting ends, and how rows are parted.

    Attributes:
        epochs: At most so many passes over the training rows.
        patience: Ends when for so many epochs no member has become better.
        improvement: Share of its loss by which a member must fall to count as better.
        batch_size: Of each member.
        valid_ratio: Share of the rows that is held out.
        max_valid: Hold out so many at most.
    """

    epochs: int = 200
    patience: int = 20
    improvement: float = 0.0
    batch_size: int = 1000
    valid_ratio: float = 0.15
    max_valid: int = 5000

    def __post_init__(self) -> None:
        if min(self.epochs, self.patience, self.batch_size, self.max_valid) < 1:
            raise ConfigError(f"epochs, patience and sizes should be 1 or more, given {self!r}")
        if not 0 < self.valid_ratio < 1 or not 0 <= self.improvement < 1:
            raise ConfigError(f"valid_ratio and improvement are shares, given {self!r}")


@final
@dataclass(frozen=True)
class Learner:
    """An ensemble, and how it learns.

    Attributes:
        network: Changed in place.
        loss: Of each member, which its gradients lower.
        optimizer: Of the network's parameters, and of any others that the loss reads.
        criterion: By which members are judged, of 0 or more; None for the loss.
    """

    network: Ensemble
    loss: Loss
    optimizer: Optimizer
    criterion: Loss | None = None


@final
@dataclass(frozen=True)
class Fitted:
    """What a fitting has come to.

    Attributes:
        losses: Each member's criterion on the rows held out, (members,), on the CPU.
        epochs: Passes made.
        steps: Gradient steps of all members together, that is, of the optimizer.
        rows: How many rows each member has been trained on, again and again ones counted.
    """

    losses: Tensor
    epochs: int
    steps: int
    rows: int


def fit(
    learner: Learner, inputs: Tensor, targets: Tensor, fitting: Fitting, generator: torch.Generator
) -> Fitted:
    """Fit the ensemble to rows (rows, inputs) and (rows, outputs), standardised or not.

    The generator is one of the CPU, wherever the rows are.

    Raises:
        ConfigError: if there are too few rows to hold any out.
        FloatingPointError: if a loss is not finite.
    """
    if len(inputs) < LEAST_ROWS:
        raise ConfigError(f"{len(inputs)} rows are too few to fit; give {LEAST_ROWS} or more")
    order = torch.randperm(len(inputs), generator=generator).to(inputs.device)
    num_valid = min(max(1, int(len(inputs) * fitting.valid_ratio)), fitting.max_valid)
    valid, train = order[:num_valid], order[num_valid:]
    best = _Best(learner.network, fitting.improvement)
    epoch = waited = steps = 0
    while epoch < fitting.epochs and waited < fitting.patience:
        for rows in _batches(learner.network.shape.members, train, fitting.batch_size, generator):
            learner.optimizer.zero_grad()
            learner.loss(learner.network(inputs[rows]), targets[rows]).sum().backward()
            learner.optimizer.step()
            steps += 1
        found = judge(learner, inputs[valid], targets[valid])
        waited = 0 if best.update(found) else waited + 1
        epoch += 1
    best.restore()
    return Fitted(best.losses.cpu(), epoch, steps, epoch * len(train))


@torch.no_grad()
def judge(learner: Learner, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return each member's criterion on the same rows, (members,)."""
    outputs = learner.network.same(inputs)
    criterion = learner.criterion or learner.loss
    return criterion(outputs, targets.expand(len(outputs), *targets.shape))


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of each member."""
    return (outputs - targets).square().mean((1, 2))


@final
class _Best:
    """The weights with which each member was best."""

    def __init__(self, network: Ensemble, improvement: float) -> None:
        self._network = network
        self._improvement = improvement
        self._kept = [parameter.detach().clone() for parameter in network.parameters()]
        self.losses = self._kept[0].new_full((network.shape.members,), math.inf)

    def update(self, losses: Tensor) -> bool:
        """Keep the weights of members that have become better; say whether any has."""
        if not losses.isfinite().all():
            raise FloatingPointError(f"the losses of the dynamics are {losses.tolist()!r}")
        better = losses < self.losses * (1 - self._improvement)
        self.losses = torch.where(better, losses, self.losses)
        for kept, parameter in zip(self._kept, self._network.parameters(), strict=True):
            kept[better] = parameter.detach()[better]
        return bool(better.any())

    def restore(self) -> None:
        """Put them back."""
        with torch.no_grad():
            for kept, parameter in zip(self._kept, self._network.parameters(), strict=True):
                parameter.copy_(kept)


def _batches(
    members: int, rows: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield rows (members, batch), each member's in an order of its own, each row once."""
    drawn = torch.rand(members, len(rows), generator=generator).argsort(1).to(rows.device)
    yield from rows[drawn].split(batch_size, dim=1)
