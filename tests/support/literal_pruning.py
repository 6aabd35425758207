"""Soft filter pruning a filter at a time, as its equations are written: slow, and easy to check.

At an event W_j <- alpha W_j for the filters j that are pruned, between events
W_j <- W_j + beta (W_j' - W_j) where W_j' is where the optimizer has taken it.
"""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.genome.schedule import Schedule
from evonas.pruning_plan import PlannedGroup


class LiteralPruning:
    """Prunes a model by the L2 norm."""

    def __init__(self, model: nn.Module, schedule: Schedule, groups: list[PlannedGroup]) -> None:
        self.tensors = dict(model.named_parameters())
        self.schedule, self.groups = schedule, groups
        self.pruned: list[set[int]] = [set() for _ in groups]
        self.before: dict[str, Tensor] = {}
        self.steps = 0

    @torch.no_grad()
    def before_step(self, progress: float) -> None:
        """Cap gradients; remember all weights."""
        self.before = {name: tensor.clone() for name, tensor in self.tensors.items()}
        if self.schedule.regrowth_cap == 0 or self.schedule.beta.at(progress) == 0:
            return
        for group, pruned in zip(self.groups, self.pruned, strict=True):
            for name in group.weights:
                gradient = self.tensors[name].grad
                assert gradient is not None
                norms = [float(gradient[row].norm()) for (row,) in group.rows[name]]
                kept = [norms[j] for j in range(group.size) if j not in pruned]
                most = self.schedule.regrowth_cap * sum(kept) / len(kept)
                for j in pruned:
                    if norms[j] > most:
                        gradient[group.rows[name][j, 0]] *= most / norms[j]

    @torch.no_grad()
    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        """Shorten steps; have an event if it is time."""
        alpha, beta = self.schedule.alpha.at(progress), self.schedule.beta.at(progress)
        for name, row in self.pruned_rows(only_makers=True):
            old = self.before[name][row]
            self.tensors[name][row] = old + beta * (self.tensors[name][row] - old)
        if self.steps % self.schedule.interval == 0 and progress >= self.schedule.begin:
            self.choose(self.schedule.rate.at(progress), is_fixed=beta == 0)
            for name, row in self.pruned_rows(only_makers=True):
                self.tensors[name][row] *= alpha
            if self.schedule.momentum_reset:
                self.clear(optimizer)
        if alpha == beta == 0:
            for name, row in self.pruned_rows(only_makers=False):
                self.tensors[name][row] = 0
        self.steps += 1

    def choose(self, rate: float, *, is_fixed: bool) -> None:
        """Prune the filters of smallest norm."""
        for place, group in enumerate(self.groups):
            norms: list[tuple[float, int]] = []
            for j in range(group.size):
                squares = 0.0
                for name in group.weights:
                    for weight in self.tensors[name][group.rows[name][j, 0]].flatten():
                        squares += float(weight) ** 2
                is_first = is_fixed and j in self.pruned[place]
                norms.append((-1.0 if is_first else squares**0.5, j))
            number = int(rate * (group.size - group.keep) + 1e-9)
            self.pruned[place] = {j for _, j in sorted(norms)[:number]}

    def clear(self, optimizer: Optimizer) -> None:
        """Zero the optimizer's slots of pruned filters."""
        for name, row in self.pruned_rows(only_makers=False):
            for slot in optimizer.state[self.tensors[name]].values():
                if isinstance(slot, Tensor) and slot.ndim:
                    slot[row] = 0

    def pruned_rows(self, *, only_makers: bool) -> list[tuple[str, int]]:
        """Return where pruned filters are."""
        found: list[tuple[str, int]] = []
        for group, pruned in zip(self.groups, self.pruned, strict=True):
            biases = {name.replace("weight", "bias") for name in group.weights}
            for name, rows in group.rows.items():
                if not only_makers or name in group.weights or name in biases:
                    found += [(name, int(rows[j, 0])) for j in pruned]
        return found
