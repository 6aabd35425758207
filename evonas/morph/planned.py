"""The pruning plan of a wide genome: its genes, read as places in the tensors of its model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import nn

from evonas.genome import Genome
from evonas.genome.pruning import PruningGenes
from evonas.morph.carry import floating_dtype
from evonas.morph.channels import Group, Indices
from evonas.morph.compact import Compact, closed, pending
from evonas.morph.following import edited
from evonas.morph.keep import Prunable
from evonas.morph.naming import instances, prefix, split_target
from evonas.morph.removal import Occurrence, occurrences
from evonas.pruning_plan import Places, PlannedGroup, PruningPlan
from evonas.state import State

Build = Callable[[Genome], nn.Module]


def planned(genome: Genome, build: Build) -> PruningPlan | None:
    """Return what a training of this genome has to prune, or None if no genes are pending.

    Args:
        genome: The wide one; with genes for single weights, any.
        build: Of the search space.

    Raises:
        EditError: if the genes ask for what cannot be.
    """
    genes = PruningGenes.of(genome)
    if genes is None or not genes.kept:
        return None
    parameters = _parameters(genome, build)
    if pending(genome):
        groups = tuple(_groups(genome, genes, parameters))
        compacted = _Compacted(genome, closed(genome), build)
        return PruningPlan(schedule=genes.schedule, groups=groups, compacted=compacted)
    return PruningPlan(
        schedule=genes.schedule,
        weights=_weights(genome, genes, parameters),
        compacted=_Compacted(genome, genome, build),
    )


@final
@dataclass(frozen=True, eq=False)
class _Compacted:
    """Rebuilds a pruned network; see `PruningPlan.compacted`."""

    wide: Genome
    small: Genome
    build: Build

    def __call__(self, state: State) -> tuple[nn.Module, State]:
        if self.small is not self.wide:
            state = edited(Compact(), self.wide, self.small, state, 0)  # nothing new is drawn
        with torch.random.fork_rng(devices=()):
            model = self.build(self.small).to(floating_dtype(state))
        model.load_state_dict(dict(state.own.tensors))
        return model, state


def _parameters(genome: Genome, build: Build) -> Mapping[str, int]:
    """Return how many numbers there are in every parameter of a genome's model."""
    with torch.device("meta"):
        return {name: tensor.numel() for name, tensor in build(genome).named_parameters()}


def _groups(
    genome: Genome, genes: PruningGenes, parameters: Mapping[str, int]
) -> Iterator[PlannedGroup]:
    """Yield the groups that lose channels, each mirrored block's by itself."""
    prunable = Prunable.of(genome, genes.schedule.residual)
    everywhere = {
        name: [
            place
            for place in occurrences(graph, prunable.widths.channels[name], prefix(genome, name))
            if place.name in parameters
        ]
        for name, graph in genome.architecture.items()
    }
    for name, kept in prunable.fitted(genes).items():
        choice = prunable.choices[name]
        if kept.keep < kept.width:
            for group in choice.groups:
                keep = len(group.classes) - (kept.width - kept.keep)
                yield _group(name, keep, group, everywhere[choice.name])


def _group(name: str, keep: int, group: Group, tensors: Sequence[Occurrence]) -> PlannedGroup:
    rows = {t.name: places for t in tensors if (places := _places(t.rows, group)).size}
    columns = {t.name: places for t in tensors if (places := _places(t.columns, group)).size}
    return PlannedGroup(
        name=name,
        size=len(group.classes),
        keep=keep,
        weights={t.name: rows[t.name] for t in tensors if t.makes and t.name in rows},
        rows=rows,
        norms=tuple(t.name for t in tensors if t.is_norm and t.name in rows),
        columns=columns,
    )


def _places(labels: Indices | None, group: Group) -> Places:
    """Return where the classes of a group stand along an axis, (size, places a class)."""
    if labels is None:
        return np.empty((len(group.classes), 0), dtype=np.int64)
    found = np.flatnonzero(np.isin(labels, group.classes))
    in_order = found[np.argsort(labels[found], kind="stable")]
    return in_order.reshape(len(group.classes), -1)


def _weights(
    genome: Genome, genes: PruningGenes, parameters: Mapping[str, int]
) -> Mapping[str, int]:
    """Return how many single weights stay of each tensor; mirrored layers keep one share."""
    found: dict[str, int] = {}
    prunable = Prunable.of(genome, genes.schedule.residual, genes.schedule.granularity)
    counts = prunable.fitted(genes)
    prunable.check(counts)
    for target, kept in counts.items():
        name, site = split_target(target)
        for layer in instances(genome.architecture[name], site):
            weight = f"{prefix(genome, name)}{layer}.weight"
            found[weight] = max(1, round(kept.keep * parameters[weight] / kept.width))
    return found
