"""The masks of one training: what of the model is kept now, and what is pruned.

Masks are plain tensors beside the model, True for what is kept. Filters are ranked within their
group. Single weights are ranked within their tensor, or all tensors together: then `plan.weights`
says only how many stay in all, and a layer of small weights may lose them all.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from evonas.errors import ConfigError
from evonas.genome.schedule import Criterion
from evonas.pruning_plan import PruningPlan
from evonas_trainers.pruning.channels import Channels, Located, channels
from evonas_trainers.pruning.criteria import check, strengths
from evonas_trainers.pruning.regrowth import RegrowthCap
from evonas_trainers.pruning.soft import num_pruned

Ranking = Literal["global", "layer"]


class Masks(ABC):
    """What is kept of each parameter that loses something.

    Attributes:
        kept: By parameter name, True for what is kept, of a shape that broadcasts to the
            parameter's.
    """

    kept: Mapping[str, Tensor]

    @abstractmethod
    def update(self, rate: float, *, is_frozen: bool) -> None:
        """Prune the weakest, measured on the model as it is.

        Args:
            rate: The share of all that is to go which is pruned.
            is_frozen: Whether what is pruned stays pruned.
        """

    @abstractmethod
    def restrain(self) -> None:
        """Scale the gradients of what is pruned down, if the schedule says so."""

    @abstractmethod
    def settle(self, optimizer: Optimizer) -> None:
        """Set to zero everything that belongs to what is pruned, its optimizer slots too."""


def masks(
    model: nn.Module, plan: PruningPlan, ranking: Ranking, *, are_biases_masked: bool
) -> Masks:
    """Return the masks for the plan's granularity; everything is kept at first.

    Args:
        model: Whose parameters are to be masked.
        plan: What is to go.
        ranking: Of single weights.
        are_biases_masked: Whether a pruned filter's biases, its batch norm's included, are masked
            too. Its channel is 0 then, as if it had been removed; but no gradient comes through a
            rectifier at 0, so the filter must learn elsewhere.

    Raises:
        ConfigError: if the criterion cannot rank what is to be pruned.
    """
    if plan.schedule.granularity == "filter":
        return _FilterMasks(model, plan, are_biases_masked=are_biases_masked)
    return _WeightMasks(model, plan, ranking)


def clear(optimizer: Optimizer, parameter: nn.Parameter, kept: Tensor) -> None:
    """Set the optimizer's slots of what is not kept of a parameter to zero."""
    for slot in optimizer.state.get(parameter, {}).values():
        if isinstance(slot, Tensor) and slot.shape == parameter.shape:
            slot.mul_(kept)


@final
class _FilterMasks(Masks):
    """Masks of whole filters, one for all the rows of a channel.

    Batch norms keep their scale until the end, without which no gradient would reach a pruned
    filter; the norm of a filter of zeros is 0 anyway, but for its bias.
    """

    def __init__(self, model: nn.Module, plan: PruningPlan, *, are_biases_masked: bool) -> None:
        self._criterion: Criterion = plan.schedule.criterion
        self._groups = channels(plan, model)
        check(self._criterion, self._groups)
        self._staying = [
            torch.ones(group.group.size, dtype=torch.bool, device=group.device)
            for group in self._groups
        ]
        self._masked = [
            _masked(group, are_biases_masked=are_biases_masked) for group in self._groups
        ]
        self.kept = {
            name: torch.ones(
                len(one.tensor),
                *[1] * (one.tensor.ndim - 1),
                dtype=torch.bool,
                device=one.tensor.device,
            )
            for masked in self._masked
            for name, one in masked.items()
        }
        cap = plan.schedule.regrowth_cap
        self._cap = RegrowthCap(cap, self._groups) if cap and self._groups else None

    def update(self, rate: float, *, is_frozen: bool) -> None:
        for group, staying, masked in zip(self._groups, self._staying, self._masked, strict=True):
            strength = strengths(self._criterion, group)
            if is_frozen:
                strength = strength.masked_fill(~staying, -1)
            going = num_pruned(rate, group.group.size, group.group.keep)
            staying.fill_(True)
            staying[strength.argsort(stable=True)[:going]] = False
            for name, one in masked.items():
                rows = self.kept[name].view(-1)
                rows[one.places] = staying[:, None].expand_as(one.places)
        if self._cap is not None:
            self._cap.prune(
                [(~staying).nonzero().flatten() for staying in self._staying],
                [staying.nonzero().flatten() for staying in self._staying],
            )

    def restrain(self) -> None:
        if self._cap is not None:
            self._cap.apply()

    @torch.no_grad()
    def settle(self, optimizer: Optimizer) -> None:
        for group, staying in zip(self._groups, self._staying, strict=True):
            for dimension, belongings in ((0, group.rows), (1, group.columns)):
                for one in belongings:
                    places = one.of((~staying).nonzero().flatten())
                    one.tensor.index_fill_(dimension, places, 0)
                    for slot in optimizer.state.get(one.tensor, {}).values():
                        if isinstance(slot, Tensor) and slot.ndim:
                            slot.index_fill_(dimension, places, 0)


@final
class _WeightMasks(Masks):
    """Masks of single weights."""

    def __init__(self, model: nn.Module, plan: PruningPlan, ranking: Ranking) -> None:
        if plan.schedule.criterion not in ("l1", "l2", "taylor"):
            raise ConfigError(
                f"criterion {plan.schedule.criterion!r} ranks filters, and granularity is "
                "'weight'; take 'l1', 'l2' or 'taylor'"
            )
        self._is_taylor = plan.schedule.criterion == "taylor"
        self._parameters = {name: model.get_parameter(name) for name in plan.weights}
        self._keep = plan.weights
        self._is_global = ranking == "global"
        self.kept = {
            name: torch.ones_like(parameter, dtype=torch.bool)
            for name, parameter in self._parameters.items()
        }

    def update(self, rate: float, *, is_frozen: bool) -> None:
        scores = {name: self._strength(name, is_frozen=is_frozen) for name in self._parameters}
        if self._is_global and scores:
            sizes = [score.numel() for score in scores.values()]
            going = num_pruned(rate, sum(sizes), sum(self._keep.values()))
            pruned = list(_weakest(torch.cat(list(scores.values())), going).split(sizes))
        else:
            pruned = [
                _weakest(score, num_pruned(rate, score.numel(), self._keep[name]))
                for name, score in scores.items()
            ]
        for kept, gone in zip(self.kept.values(), pruned, strict=True):
            kept.copy_(~gone.view(kept.shape))

    def restrain(self) -> None:
        """Leave them alone: a cap is for filters in front of a batch norm."""

    @torch.no_grad()
    def settle(self, optimizer: Optimizer) -> None:
        for name, parameter in self._parameters.items():
            parameter.mul_(self.kept[name])
            clear(optimizer, parameter, self.kept[name])

    def _strength(self, name: str, *, is_frozen: bool) -> Tensor:
        """Return |weight|, or |weight x gradient| of the last step, in one line."""
        parameter = self._parameters[name]
        strength = parameter.detach().abs()
        if self._is_taylor and parameter.grad is not None:
            strength = strength * parameter.grad.abs()
        if is_frozen:
            strength = strength.masked_fill(~self.kept[name], -1)
        return strength.flatten()


def _masked(group: Channels, *, are_biases_masked: bool) -> Mapping[str, Located]:
    """Return what a filter's mask is laid on, among its rows."""
    rows = zip(group.group.rows, group.rows, strict=True)
    return {
        name: one
        for name, one in rows
        if name in group.group.weights or (are_biases_masked and name.endswith("bias"))
    }


def _weakest(strength: Tensor, number: int) -> Tensor:
    """Return which are the weakest; of equals, the first."""
    if number == 0:
        return torch.zeros_like(strength, dtype=torch.bool)
    bound = strength.kthvalue(number).values
    pruned = strength < bound
    equals = (strength == bound).nonzero().flatten()
    pruned[equals[: number - int(pruned.sum())]] = True
    return pruned
