"""The optimizer of the supervised loop and its learning rate over time.

The schedule `sgdr` is "SGDR: Stochastic Gradient Descent with Warm Restarts" (Loshchilov and
Hutter, 2016, https://arxiv.org/abs/1608.03983). A search that inherits weights trains best at a
constant rate while it grows, with one `anneal` at the end.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import nn

from evonas import devices
from evonas.errors import ConfigError
from evonas.state import State

ScheduleName = Literal["constant", "anneal", "cosine", "sgdr"]


def schedule(name: ScheduleName, epoch: float, epochs: float, cycle: float, growth: float) -> float:
    """Return the share of the full learning rate after `epoch` of `epochs`, fractions included.

    Args:
        name: `constant`; `anneal`, in a line to 0; `cosine`, half a wave to 0; `sgdr`, such waves
            again and again.
        epoch: Where the training is.
        epochs: Where it ends.
        cycle: Epochs of the first wave of `sgdr`.
        growth: How many times longer each wave of `sgdr` is than the one before, at least 1.
    """
    match name:
        case "constant":
            return 1.0
        case "anneal":
            return 1 - epoch / epochs
        case "cosine":
            return _wave(epoch / epochs)
        case "sgdr":
            start = 0.0
            while epoch >= start + cycle:
                start, cycle = start + cycle, cycle * growth
            return _wave((epoch - start) / cycle)


@final
@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """Stochastic gradient descent with momentum, or AdamW.

    Attributes:
        name: `sgd` or `adamw`.
        lr: The full learning rate.
        momentum: Of SGD; the first beta of AdamW.
        nesterov: Whether SGD looks ahead.
        weight_decay: Of weights with two dimensions or more: not of biases, norms and scales.
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        if self.lr <= 0 or not 0 <= self.momentum < 1 or self.weight_decay < 0:
            raise ConfigError(
                "an optimizer needs lr > 0, 0 <= momentum < 1 and weight_decay >= 0, "
                f"given {self!r}"
            )

    def build(self, modules: Iterable[nn.Module], device: torch.device) -> torch.optim.Optimizer:
        """Make the optimizer for the parameters of all `modules`, with one fused step if it can.

        What several of them share is there once.
        """
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        known: set[nn.Parameter] = set()
        for module in modules:
            for name, parameter in module.named_parameters():
                if parameter in known:
                    continue
                known.add(parameter)
                is_weight = parameter.ndim > 1 and not name.endswith("scale")
                (decayed if is_weight else plain).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        fused = devices.fuses(device)
        if self.name == "adamw":
            betas = (self.momentum, 0.999)
            return torch.optim.AdamW(groups, lr=self.lr, betas=betas, fused=fused)
        nesterov = self.nesterov and self.momentum > 0
        return torch.optim.SGD(
            groups, lr=self.lr, momentum=self.momentum, nesterov=nesterov, fused=fused
        )


def inherit(state: State, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Start the optimizer from inherited slots, if they are of its kind."""
    is_sgd = isinstance(optimizer, torch.optim.SGD)
    slots = ("momentum_buffer",) if is_sgd else ("exp_avg", "exp_avg_sq", "step")
    if not all(slot in state.slots for slot in slots) or optimizer.defaults.get("momentum") == 0:
        return
    State({}, {slot: state.slots[slot] for slot in slots}).restore_optimizer(model, optimizer)
    start_momentum(optimizer)


def start_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Give every parameter without momentum zeros, which is how SGD starts.

    Torch's fused step wants all to have some or none, and it does not wait for what trains later.
    """
    if not isinstance(optimizer, torch.optim.SGD) or optimizer.defaults["momentum"] == 0:
        return
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            slots = optimizer.state[parameter]
            if "momentum_buffer" not in slots:
                slots["momentum_buffer"] = torch.zeros_like(parameter)


def _wave(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2
