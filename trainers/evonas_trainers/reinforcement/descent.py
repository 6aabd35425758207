"""How the networks of a candidate take their steps, each with an optimizer of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from evonas import devices
from evonas.errors import ConfigError
from evonas.state import State
from evonas_trainers.reinforcement.sparse import Sparsity
from evonas_trainers.slots import Pruner


@final
@dataclass(frozen=True, kw_only=True)
class AdamSettings:
    """How Adam goes down.

    Attributes:
        lr: The learning rate.
        weight_decay: Added to the gradient, as in Adam and not as in AdamW.
    """

    lr: float = 3e-4
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.weight_decay < 0:
            raise ConfigError(f"Adam needs lr > 0 and weight_decay >= 0, given {self!r}")


@final
@dataclass(frozen=True, kw_only=True)
class Start:
    """How a learner begins.

    Attributes:
        model: The candidate, already on its device; trained in place.
        generator: Of that device; draws what the learner draws.
        inherited: The state that the candidate starts from; None if it is fresh.
        num_updates: How many there will be; what is pruned tells the time by it.
        sparsity: Of the candidate; None if it is dense.
    """

    model: nn.Module
    generator: torch.Generator
    inherited: State | None = None
    num_updates: int = 1
    sparsity: Sparsity | None = None

    def descent(self, names: Sequence[str], settings: AdamSettings, interval: int = 1) -> "Descent":
        """Return the descent of some of the networks, with inherited slots.

        Args:
            names: Of the networks.
            settings: Of Adam.
            interval: Updates from one step to the next.
        """
        networks = [self.model.get_submodule(name) for name in names]
        parameters = [one for network in networks for one in network.parameters()]
        pruner = None if self.sparsity is None else self.sparsity.pruner(names, interval)
        num_steps = max(1, self.num_updates // interval)
        descent = Descent(parameters, settings, pruner, num_steps)
        if self.inherited is not None:
            self.inherited.restore_optimizer(self.model, descent.optimizer)
        return descent


@final
class Descent:
    """Adam for some parameters, one step after the other.

    Attributes:
        optimizer: Its slots are what a child inherits.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        settings: AdamSettings,
        pruner: Pruner | None = None,
        num_steps: int = 1,
    ) -> None:
        self._parameters = list(parameters)
        self.optimizer = torch.optim.Adam(
            self._parameters,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            fused=devices.fuses(self._parameters[0].device),
        )
        self._pruner, self._num_steps, self._steps = pruner, num_steps, 0

    def step(self, loss: Tensor) -> None:
        """Take one step down the loss; other networks in it get no gradients."""
        progress = self._steps / self._num_steps
        self.optimizer.zero_grad()
        loss.backward(inputs=self._parameters)
        if self._pruner is not None:
            self._pruner.before_step(self.optimizer, progress)
        self.optimizer.step()
        if self._pruner is not None:
            self._pruner.after_step(self.optimizer, progress)
        self._steps += 1

    def finish(self) -> None:
        """Prune for good what is pruned."""
        if self._pruner is not None:
            self._pruner.finish(self.optimizer)
