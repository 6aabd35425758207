"""Soft filter pruning, and the family it belongs to: three curves, one loop.

At an event the filters of least strength are multiplied by alpha; until the next event they take
beta of the optimizer's step; how many they are follows the rate. "Soft Filter Pruning for
Accelerating Deep Convolutional Neural Networks", He et al., 2018, https://arxiv.org/abs/1808.06866,
is alpha 0 and beta 1 with a constant rate; `evonas_trainers.pruning.presets` has the others.

Differences from the authors' code (https://github.com/he-y/soft-filter-pruning): counts are whole
numbers (`int(10 * (1 - 0.9))` is 0), events are counted in steps, layers are chosen by what is
planned and not by their place in the parameter list, the regrowth of pruned filters is capped and
their momentum cleared unless the schedule says otherwise, beta scales what the optimizer really
did, so that momentum, weight decay and Adam cannot move what is hard, and the batch norm of what is
pruned goes with it in the end: a zero filter's norm still emits its shift.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.errors import ConfigError
from evonas.genome.schedule import Schedule
from evonas.pruning_plan import PruningPlan
from evonas_trainers.pruning.channels import Channels, channels, merged
from evonas_trainers.pruning.criteria import check, strengths
from evonas_trainers.pruning.regrowth import RegrowthCap
from evonas_trainers.slots import Criterion, Pruner, Pruning


@final
@dataclass(frozen=True)
class Soft(Pruning):
    """Scale pruned filters at events, and the steps they take between them."""

    paper: ClassVar[str] = (
        "Soft Filter Pruning for Accelerating Deep Convolutional Neural Networks, "
        "He et al., 2018, https://arxiv.org/abs/1808.06866"
    )

    def start(
        self,
        model: nn.Module,
        plan: PruningPlan,
        generator: torch.Generator,  # noqa: ARG002
    ) -> "SoftPruner":
        """Find the channels in the model."""
        if plan.schedule.granularity != "filter":
            raise ConfigError(
                f"the rule 'soft' prunes filters, and the schedule's granularity is "
                f"{plan.schedule.granularity!r}; take 'filter', or a rule for single weights"
            )
        groups = channels(plan, model)
        check(plan.schedule.criterion, groups)
        return SoftPruner(model, plan.schedule, groups)


@final
@dataclass(frozen=True)
class Event:
    """A choice of what is pruned.

    Attributes:
        progress: Part of the training that was done.
        pruned: How many channels are pruned, in all groups.
        churn: Share of all channels whose fate it changed.
    """

    progress: float
    pruned: int
    churn: float


@final
class SoftPruner(Pruner):
    """The choices of one training, the last of which is at work.

    A channel is hard once neither alpha nor beta leaves it anything, until the end: then all that
    belongs to it is held at zero. Before, its norm keeps its scale, because a filter and a scale
    that are both zero have no gradient and could never come back.
    """

    def __init__(self, model: nn.Module, schedule: Schedule, groups: Sequence[Channels]) -> None:
        self.companion = nn.ModuleList()
        self._model, self._schedule, self._groups = model, schedule, groups
        self._pruned = [torch.zeros(0, dtype=torch.int64, device=g.device) for g in groups]
        self._makers: list[tuple[nn.Parameter, Tensor]] = []
        self._rows: list[tuple[nn.Parameter, Tensor]] = []
        self._before: list[Tensor] = []
        self._cap = RegrowthCap(schedule.regrowth_cap, groups) if groups else None
        self._chosen = self._choice() if groups else torch.zeros(0, dtype=torch.bool)
        self._steps = 0
        self._is_fixed = False
        self._log: list[tuple[float, int, Tensor]] = []

    @property
    def events(self) -> Sequence[Event]:
        """What has happened; reading it waits for the device."""
        return [Event(progress, pruned, float(churn)) for progress, pruned, churn in self._log]

    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:  # noqa: ARG002
        """Return the loss of the model as it is."""
        return criterion(self._model(inputs))

    @torch.no_grad()
    def before_step(self, optimizer: Optimizer, progress: float) -> None:  # noqa: ARG002
        """Cap the gradients of pruned filters; note their weights if they may not move freely."""
        beta = self._schedule.beta.at(progress)
        if beta > 0 and self._schedule.regrowth_cap > 0 and self._cap is not None and self._rows:
            self._cap.apply()
        self._before = []
        if beta < 1 and not self._is_hard(progress):
            self._before = [tensor.index_select(0, rows) for tensor, rows in self._makers]

    @torch.no_grad()
    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        """Take back what beta does not allow; choose anew if it is time."""
        beta = self._schedule.beta.at(progress)
        if self._before:
            self._shorten(beta)
        self._is_fixed = beta == 0
        is_due = self._steps % self._schedule.interval == 0 and progress >= self._schedule.begin
        self._steps += 1
        if is_due and self._groups:
            self._choose(self._schedule.rate.at(progress), progress)
            self._weaken(optimizer, self._schedule.alpha.at(progress))
        if self._is_hard(progress):
            _zero(self._rows, dim=0)

    @torch.no_grad()
    def finish(self, optimizer: Optimizer) -> None:
        """Choose for good; zero what belongs to what is pruned, and the optimizer's slots of it."""
        if not self._groups:
            return
        self._choose(1.0, 1.0)
        columns = merged(
            (one, pruned)
            for group, pruned in zip(self._groups, self._pruned, strict=True)
            for one in group.columns
        )
        for dim, places in ((0, self._rows), (1, columns)):
            _zero(places, dim)
            _clear(optimizer, places, dim)

    def _is_hard(self, progress: float) -> bool:
        """Return whether what is pruned has nothing left, and gets nothing any more."""
        beta = self._schedule.beta
        return beta.at(progress) == beta.end == self._schedule.alpha.at(progress) == 0

    def _shorten(self, beta: float) -> None:
        """Leave pruned filters beta of the step they have taken."""
        for (tensor, rows), before in zip(self._makers, self._before, strict=True):
            taken = tensor.index_select(0, rows)
            tensor.index_copy_(0, rows, before.lerp(taken, beta))

    def _choose(self, rate: float, progress: float) -> None:
        """Choose the weakest channels, among fixed choices those that were chosen before first."""
        kept: list[Tensor] = []
        for place, group in enumerate(self._groups):
            number = num_pruned(rate, group.group.size, group.group.keep)
            strength = strengths(self._schedule.criterion, group)
            if self._is_fixed:
                strength.index_fill_(0, self._pruned[place], -1)
            order = strength.argsort(stable=True)
            self._pruned[place] = order[:number]
            kept.append(order[number:])
        chosen = list(zip(self._groups, self._pruned, strict=True))
        self._makers = merged((one, pruned) for group, pruned in chosen for one in group.makers)
        self._rows = merged((one, pruned) for group, pruned in chosen for one in group.rows)
        if self._cap is not None:
            self._cap.prune(self._pruned, kept)
        choice = self._choice()
        churn = (choice ^ self._chosen).float().mean()
        self._log.append((progress, sum(map(len, self._pruned)), churn))
        self._chosen = choice

    def _weaken(self, optimizer: Optimizer, alpha: float) -> None:
        """Multiply what is pruned by alpha; clear its momentum."""
        if alpha == 0:
            _zero(self._makers, dim=0)
        elif alpha < 1:
            for tensor, rows in self._makers:
                tensor.index_copy_(0, rows, tensor.index_select(0, rows).mul_(alpha))
        if self._schedule.momentum_reset:
            _clear(optimizer, self._rows, dim=0)

    def _choice(self) -> Tensor:
        """Return whether each channel is pruned, all groups in one line."""
        return torch.cat(
            [
                torch.zeros(group.group.size, dtype=torch.bool, device=pruned.device).index_fill_(
                    0, pruned, value=True
                )
                for group, pruned in zip(self._groups, self._pruned, strict=True)
            ]
        )


def num_pruned(rate: float, size: int, keep: int) -> int:
    """Return how many of `size` channels a rate prunes if `keep` stay: rounded down, 10 x 0.1 is 1.

    >>> num_pruned(1 - 0.9, 11, 1), num_pruned(0.999, 20, 4), num_pruned(1.0, 20, 4)
    (1, 15, 16)
    """
    return min(math.floor(rate * (size - keep) + 1e-9), size - keep)


def _zero(places: Sequence[tuple[nn.Parameter, Tensor]], dim: int) -> None:
    for tensor, found in places:
        tensor.index_fill_(dim, found, 0)


def _clear(optimizer: Optimizer, places: Sequence[tuple[nn.Parameter, Tensor]], dim: int) -> None:
    """Zero the optimizer's slots; a slot without dimensions counts steps."""
    for tensor, found in places:
        for slot in optimizer.state.get(tensor, {}).values():
            if isinstance(slot, Tensor) and slot.ndim:
                slot.index_fill_(dim, found, 0)
