"""What the table `[pruning]` comes to on the seed network: targets in numbers, norms, refusals."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evonas.config import Run
from evonas.errors import ConfigError, EditError
from evonas.genome import Genome
from evonas.genome.pruning import Kept
from evonas.genome.schedule import Residual
from evonas.models import fresh_model
from evonas.morph.channels import Group
from evonas.morph.keep import Prunable
from evonas.morph.naming import prefix
from evonas.morph.prune_options import PruningOptions, Target
from evonas.morph.repair import repaired
from evonas.morph.widths import Choice
from evonas.pruning_table import Pruning


def pruning_options(
    run: Run, pruning: Pruning, seed: Genome, sizes: Mapping[str, float]
) -> PruningOptions:
    """Return what genes may become in a run.

    Args:
        run: The run.
        pruning: Its table.
        seed: The seed genome.
        sizes: Parameters and MACs of the seed network.

    Raises:
        ConfigError: if the seed cannot be pruned as the table asks.
    """
    target = pruning.wanted(run.limits, sizes)
    every: tuple[Residual, ...] = ("inner", "coupled")
    used = {one.residual for one in pruning.schedules}
    residuals: list[Residual] = [residual for residual in every if residual in used]
    if not pruning.removes_weights:
        for residual in residuals:
            _check(Prunable.of(seed, residual), target, pruning.least_ratio)
    norms = _norms(run, seed, residuals) if pruning.ratios == "affine" else {}
    return pruning.options(target, norms)


def _check(prunable: Prunable, target: Target | None, least_ratio: float) -> None:
    """Check that something can be pruned, and that the target can be met.

    Raises:
        ConfigError: saying what the smallest network has.
    """
    if not prunable.sizes:
        raise ConfigError(
            "the seed network has no channels that can be pruned; with residual"
            f" {prunable.residual!r} those that sums tie to other layers"
            f" {'stay' if prunable.residual == 'inner' else 'go together'}"
        )
    if target is None:
        return
    full = {name: Kept(size, size) for name, size in prunable.sizes.items()}
    try:
        _ = repaired(prunable, full, (target.measure, target.low), least_ratio)
    except EditError as error:
        raise ConfigError(f"the pruning target cannot be met: {error}") from None


def _norms(
    run: Run, seed: Genome, residuals: Iterable[Residual]
) -> Mapping[str, tuple[float, ...]]:
    """Return the L2 norms of the seed's filters by group, as LeGR ranks them.

    Raises:
        ConfigError: if the seed's weights are drawn anew for every search.
    """
    tensors, others = (
        fresh_model(run.space, seed, drawn).state_dict() for drawn in (run.seed, run.seed + 1)
    )
    if any(not torch.equal(tensor, others[name]) for name, tensor in tensors.items()):
        raise ConfigError(
            'ratios = "affine" ranks the filters of a trained network, and this space starts from'
            " fresh weights; use the space 'adopted' with a trained network"
        )
    prunables = (Prunable.of(seed, residual) for residual in residuals)
    return {
        name: _group_norms(choice, seed, tensors)
        for prunable in prunables
        for name, choice in prunable.choices.items()
    }


def _group_norms(choice: Choice, seed: Genome, tensors: Mapping[str, Tensor]) -> tuple[float, ...]:
    """Return a group's norms, weakest first: the mean over mirrored blocks, rank by rank."""
    start = prefix(seed, choice.name)
    blocks = [np.sort(_summed(choice, group, start, tensors)) for group in choice.groups]
    return tuple(float(norm) for norm in np.mean([one[: choice.size] for one in blocks], axis=0))


def _summed(
    choice: Choice, group: Group, start: str, tensors: Mapping[str, Tensor]
) -> NDArray[np.float64]:
    """Return for every channel of a group the sum of the norms of the rows that make it."""
    total = np.zeros(len(choice.channels.frozen))
    for maker in group.makers:
        norms = tensors[f"{start}{maker}.weight"].double().flatten(1).norm(dim=1)
        np.add.at(total, choice.channels.labels[maker], norms.numpy())
    return total[group.classes]
