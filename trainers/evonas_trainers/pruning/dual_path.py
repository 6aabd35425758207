"""The dual-path rule: pruned weights are trained on a path of their own, where they are not pruned.

"Dynamic Collective Intelligence Learning: Finding Efficient Sparse Model via Refined Gradients for
Pruned Weights" (Kim, Yoo, Song, Kim and Kwak, 2021, https://arxiv.org/abs/2109.04660). Every batch
goes through the network twice. On the pruned path the weights are w m, and only what is kept learns
from it; on the full path they are w, and only what is pruned learns from it (its refined gradient).
Each path has its own batch norms and classifier, and learns from the other's softened outputs. The
pruned path is handed over; the full path's norms and classifier are dropped.

After the authors' code and the abstract; the paper's body was not at hand. Differences from the
code: probabilities of the other path are detached without adding 1e-7; the full path's norms and
classifier begin as copies; the criterion of the loop, which may hold a distillation, counts on both
paths. Filters are pruned group by group, to their genes' counts, and not by one global ranking, and
on the pruned path their biases go with them: so it computes what the rebuilt network will.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from evonas.errors import ConfigError
from evonas.pruning_plan import PruningPlan
from evonas_trainers.distillation.losses.divergence import divergence
from evonas_trainers.pruning.hidden_weights import HiddenWeights
from evonas_trainers.pruning.masks import Ranking
from evonas_trainers.slots import Criterion, Pruner, Pruning

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@final
@dataclass(frozen=True, kw_only=True)
class DualPath(Pruning):
    """Train what is kept on the pruned path, and what is pruned on the full one.

    Attributes:
        temperature: That softens the outputs when the paths learn from each other.
        kl_from: Part of the training before they do.
        kl_weight: Of the divergences against the labels; 0 for never.
        ranking: As of `StraightThrough`.
    """

    paper: ClassVar[str] = (
        "Dynamic Collective Intelligence Learning: Finding Efficient Sparse Model via Refined "
        "Gradients for Pruned Weights, Kim et al., 2021, https://arxiv.org/abs/2109.04660"
    )

    temperature: float = 2.0
    kl_from: float = 0.25
    kl_weight: float = 1.0
    ranking: Ranking = "global"

    def __post_init__(self) -> None:
        if self.temperature <= 0 or not 0 <= self.kl_from <= 1 or self.kl_weight < 0:
            raise ConfigError(
                f"needs temperature > 0, 0 <= kl_from <= 1 and kl_weight >= 0, given {self!r}"
            )

    def start(
        self,
        model: nn.Module,
        plan: PruningPlan,
        generator: torch.Generator,  # noqa: ARG002 - nothing is drawn
    ) -> Pruner:
        """Begin with all weights kept and equal paths."""
        weights = HiddenWeights(model, plan, self.ranking, are_biases_masked=True)
        return _DualPathPruner(self, model, weights)


def pruned_path(weight: Tensor, kept: Tensor, alpha: float) -> Tensor:
    """Return w m, through which only kept weights learn; of pruned ones `alpha` is there.

    Args:
        weight: w.
        kept: m, 1 for what is kept and 0 for what is pruned.
        alpha: Of the schedule.
    """
    shown = weight * kept
    return shown if alpha == 0 else shown + alpha * weight.detach() * (1 - kept)


def full_path(weight: Tensor, kept: Tensor) -> Tensor:
    """Return w, through which only pruned weights learn; `kept` as above."""
    return torch.addcmul(weight.detach() * kept, weight, 1 - kept)


def mutual(
    pruned: Tensor,
    full: Tensor,
    temperature: float,
) -> Tensor:
    """Return T^2 (KL(full || pruned) + KL(pruned || full)) of softened outputs, batch mean.

    Outputs are (batch, classes). The first argument of each divergence is a target, and no
    gradient reaches it.
    """
    towards_full = divergence(pruned, full.detach(), temperature)
    return (towards_full + divergence(full, pruned.detach(), temperature)).mean()


@final
class _DualPathPruner(Pruner):
    def __init__(self, settings: DualPath, model: nn.Module, weights: HiddenWeights) -> None:
        self._settings, self._model, self._weights = settings, model, weights
        own = {name: deepcopy(module) for name, module in _own_by_path(model).items()}
        self.companion = nn.ModuleList(own.values())
        self._full = {
            f"{name}.{part}" if name else part: tensor
            for name, module in own.items()
            for part, tensor in (*module.named_parameters(), *module.named_buffers())
        }

    def loss(self, inputs: Tensor, criterion: Criterion, progress: float) -> Tensor:
        """Return the sum of both paths' losses.

        The criterion is asked right after each path, so a distillation that listens to the model's
        layers has those of the path it judges.
        """
        self._weights.reveal()
        pruned = self._run(inputs, self._pruned_weights())
        loss = criterion(pruned)
        full = self._run(inputs, {**self._full_weights(), **self._full})
        loss = loss + criterion(full)
        if self._settings.kl_weight and progress >= self._settings.kl_from:
            agreement = mutual(pruned.float(), full.float(), self._settings.temperature)
            loss = loss + self._settings.kl_weight * agreement
        return loss

    def before_step(self, optimizer: Optimizer, progress: float) -> None:  # noqa: ARG002
        self._weights.restrain()

    def after_step(self, optimizer: Optimizer, progress: float) -> None:
        self._weights.advance(optimizer, progress)

    def finish(self, optimizer: Optimizer) -> None:
        self._weights.finish(optimizer)

    def _run(self, inputs: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
        return functional_call(self._model, dict(tensors), (inputs,))

    def _pruned_weights(self) -> dict[str, Tensor]:
        kept, alpha = self._weights.kept, self._weights.alpha
        return {
            name: pruned_path(weight, kept[name], alpha)
            for name, weight in self._weights.parameters.items()
        }

    def _full_weights(self) -> dict[str, Tensor]:
        kept = self._weights.kept
        return {
            name: full_path(weight, kept[name])
            for name, weight in self._weights.parameters.items()
            if name not in self._full
        }


def _own_by_path(model: nn.Module) -> dict[str, nn.Module]:
    """Return what each path has of its own: batch norms and the last linear layer."""
    modules = dict(model.named_modules())
    linear = [name for name, module in modules.items() if isinstance(module, nn.Linear)]
    norms = [name for name, module in modules.items() if isinstance(module, _NORMS)]
    return {name: modules[name] for name in (*norms, *linear[-1:])}
