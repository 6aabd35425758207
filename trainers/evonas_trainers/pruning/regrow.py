"""The regrow rule: a network that is sparse from the first step on, and moves its connections.

With `growth` random, SET: "Scalable training of artificial neural networks with adaptive sparse
connectivity inspired by network science" (Mocanu et al., 2018, https://arxiv.org/abs/1707.04780);
with `growth` gradient, RigL: "Rigging the Lottery: Making All Tickets Winners" (Evci, Gale, Menick,
Castro and Elsen, 2020, ICML, https://arxiv.org/abs/1911.11134). Every `interval` steps each layer
drops the active weights of smallest magnitude and grows as many: anywhere, or where the gradient of
the loss is largest. What is grown begins at 0 with no momentum, except what was dropped in the same
moment, which may come back as it was; with `revives` false that begins anew, too. RigL's update
takes the place of the optimizer's step.

Both papers begin with random connections; an inherited network that is sparse keeps its own, the
strongest if it has too many, and gets random ones if it has too few. With `drop` signed, half of
what goes are the smallest positive and half the largest negative weights, as in SET; by default, as
in RigL, the smallest by magnitude, the first of equals (RigL's code adds noise). Of the schedule,
`rate`, `begin` and `interval` are followed; where a rate rises, the network begins dense and the
updates drop more than they grow. A pruned weight is 0 and stays so until it is grown, so `alpha`,
`beta`, `criterion`, `momentum_reset` and `regrowth_cap` say nothing here.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.errors import ConfigError
from evonas.pruning_plan import PruningPlan
from evonas_trainers.pruning.masks import clear
from evonas_trainers.pruning.soft import num_pruned
from evonas_trainers.slots import Criterion, Pruner, Pruning

Growth = Literal["random", "gradient"]
Drop = Literal["magnitude", "signed"]
FractionCurve = Literal["constant", "cosine"]


@final
@dataclass(frozen=True, kw_only=True)
class Regrow(Pruning):
    """Drop weak connections and grow others, at the counts that the genes give each layer.

    Attributes:
        growth: Where connections grow: `random` (SET), or by `gradient` (RigL).
        drop: Which connections go: of smallest `magnitude` (RigL), or as many of either sign, those
            closest to zero (`signed`, SET).
        revives: Whether what is dropped and grown in the same moment stays as it was.
        fraction: Share of a layer's active weights that an update drops and grows at first.
        fraction_curve: Whether the share stays, or falls to 0 in half a wave.
        until: Part of the training after which connections stay as they are.
    """

    paper: ClassVar[str] = (
        "Rigging the Lottery: Making All Tickets Winners, Evci et al., 2020, "
        "https://arxiv.org/abs/1911.11134"
    )

    growth: Growth = "gradient"
    drop: Drop = "magnitude"
    revives: bool = True
    fraction: float = 0.3
    fraction_curve: FractionCurve = "cosine"
    until: float = 0.75

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1 or not 0 < self.until <= 1:
            raise ConfigError(f"needs 0 <= fraction <= 1 and 0 < until <= 1, given {self!r}")

    def start(
        self, model: nn.Module, plan: PruningPlan, generator: torch.Generator
    ) -> "RegrowPruner":
        """Choose the first connections and set all others to zero."""
        if plan.schedule.granularity != "weight":
            raise ConfigError(
                f"rule 'regrow' was given granularity {plan.schedule.granularity!r}; it moves "
                "single weights, so set granularity to 'weight' or take another rule"
            )
        return RegrowPruner(self, model, plan, generator)

    def share(self, progress: float) -> float:
        """Return which share of the active weights an update drops at a time of the training."""
        if progress >= self.until:
            return 0.0
        if self.fraction_curve == "constant":
            return self.fraction
        return self.fraction / 2 * (1 + math.cos(math.pi * progress / self.until))


@final
class RegrowPruner(Pruner):
    """The connections of one training; pruned weights and their slots are 0.

    Attributes:
        active: The connections there are now, True, by parameter name.
    """

    def __init__(
        self, settings: Regrow, model: nn.Module, plan: PruningPlan, generator: torch.Generator
    ) -> None:
        self.companion = nn.ModuleList()
        self._settings, self._model, self._plan = settings, model, plan
        self._generator = generator
        self._parameters = {name: model.get_parameter(name) for name in plan.weights}
        self.active = {
            name: first_connections(parameter.detach(), self._target(name, 0.0), generator)
            for name, parameter in self._parameters.items()
        }
        self._steps = 0
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.mul_(self.active[name])

    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:  # noqa: ARG002
        """Return the loss of the model, which is sparse at all times."""
        return criterion(self._model(inputs))

    def before_step(self, optimizer: Optimizer, progress: float) -> None:
        """Grow by the gradients, if that is the growth; then mask them."""
        if self._steps == 0:  # inherited slots may move what is pruned
            self._clear(optimizer)
        if self._settings.growth == "gradient" and self._update(optimizer, progress):
            optimizer.zero_grad()  # without gradients the step leaves everything as it is
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                parameter.grad.mul_(self.active[name])

    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        """Grow at random, if that is the growth."""
        if self._settings.growth == "random":
            self._update(optimizer, progress)
        self._steps += 1

    @torch.no_grad()
    def finish(self, optimizer: Optimizer) -> None:
        """Drop what is too much if the rate had not come to its end."""
        for name, parameter in self._parameters.items():
            excess = int(self.active[name].sum()) - self._plan.weights[name]
            self.active[name] &= ~weakest(parameter, self.active[name], excess)
            parameter.mul_(self.active[name])
        self._clear(optimizer)

    def _is_event(self, progress: float) -> bool:
        """Return whether connections may move: not at the first step, they are new then."""
        schedule = self._plan.schedule
        is_due = self._steps > 0 and self._steps % schedule.interval == 0
        return is_due and progress >= schedule.begin

    def _target(self, name: str, progress: float) -> int:
        """Return how many weights of a tensor are active."""
        size, keep = self._parameters[name].numel(), self._plan.weights[name]
        return size - num_pruned(self._plan.schedule.rate.at(progress), size, keep)

    @torch.no_grad()
    def _update(self, optimizer: Optimizer, progress: float) -> bool:
        """Drop and grow if it is time; return whether anything was to be dropped."""
        if not self._is_event(progress):
            return False
        share, total = self._settings.share(progress), 0
        for name, parameter in self._parameters.items():
            active = self.active[name]
            target = self._target(name, progress)
            num_grown, num_dropped = exchange(int(active.sum()), target, share)
            staying = active & ~self._dropped(parameter, active, num_dropped)
            now = staying | strongest(self._appeal(parameter), ~staying, num_grown)
            known = now & active if self._settings.revives else staying
            parameter.mul_(known)
            clear(optimizer, parameter, known)
            self.active[name] = now
            total += num_dropped
        return total > 0

    def _dropped(self, parameter: Tensor, active: Tensor, number: int) -> Tensor:
        """Return which of the active weights go."""
        if self._settings.drop == "magnitude":
            return weakest(parameter, active, number)
        return closest_of_either_sign(parameter, active, number)

    def _appeal(self, parameter: nn.Parameter) -> Tensor:
        """Return how much each weight deserves to grow."""
        if self._settings.growth == "random":
            return torch.rand(
                parameter.shape, generator=self._generator, device=self._generator.device
            ).to(parameter.device)
        if parameter.grad is None:
            return torch.zeros_like(parameter)
        return parameter.grad.abs()

    def _clear(self, optimizer: Optimizer) -> None:
        for name, parameter in self._parameters.items():
            clear(optimizer, parameter, self.active[name])


def first_connections(weight: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Return which weights are active at first.

    At random; but those of a sparse tensor (with zeros in it) come first, by magnitude.
    """
    score = torch.rand(weight.shape, generator=generator, device=generator.device)
    score = score.to(weight.device)
    if not weight.all():
        score = torch.where(weight == 0, score, 1 + weight.abs())
    return strongest(score, torch.ones_like(weight, dtype=torch.bool), number)


def exchange(num_active: int, target: int, share: float) -> tuple[int, int]:
    """Return how many weights grow and how many are dropped, to be at `target` afterwards."""
    num_grown = math.floor(share * target + 1e-9)
    return num_grown, max(0, num_active - target + num_grown)


def weakest(weight: Tensor, among: Tensor, number: int) -> Tensor:
    """Return the weights of smallest magnitude, True for `number` of those `among`."""
    return strongest(-weight.abs(), among, number)


def closest_of_either_sign(weight: Tensor, among: Tensor, number: int) -> Tensor:
    """Return `number` weights, half of them positive (0 counts as that), half negative.

    Those closest to zero of each sign; where there are too few of one, more of the other.
    """
    positive, negative = among & (weight >= 0), among & (weight < 0)
    least = number - int(negative.sum())
    num_positive = min(max(number - number // 2, least), int(positive.sum()))
    return weakest(weight, positive, num_positive) | weakest(
        weight, negative, number - num_positive
    )


def strongest(score: Tensor, among: Tensor, number: int) -> Tensor:
    """Return the highest scores, True for `number` of those `among`; of equals, the first."""
    order = score.masked_fill(~among, -torch.inf).flatten().argsort(descending=True, stable=True)
    found = torch.zeros_like(order, dtype=torch.bool)
    found[order[: max(0, number)]] = True
    return found.view(score.shape)
