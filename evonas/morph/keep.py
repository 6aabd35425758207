"""Pruning genes read on a genome's layer graphs: what may be pruned, how much stays, what results.

Genes are read through the graph at hand, so they fit after every edit: channels that an edit added
stay, a layer that lost channels keeps the same part of those it has, the halves of a branched layer
both have its gene, and what the genes do not know (a fresh layer) stays as it is.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Residual
from evonas.morph.naming import split_target
from evonas.morph.widths import Choice, Widths


@final
@dataclass(frozen=True, eq=False)
class Prunable:
    """The groups of channels of a genome that can be pruned, found once.

    Attributes:
        widths: The genome with its channel classes.
        residual: See `evonas.genome.schedule.Schedule`.
    """

    widths: Widths
    residual: Residual

    @classmethod
    def of(cls, genome: Genome, residual: Residual) -> "Prunable":
        """Find the groups of a genome."""
        return cls(Widths.of(genome), residual)

    @cached_property
    def choices(self) -> Mapping[str, Choice]:
        """What each group's name stands for, mirrored blocks included."""
        found: dict[str, Choice] = {}
        for target, part, _ in self.widths.resizable:
            name = split_target(target)[0]
            edit = Edit("", (target,), {"part": part})
            choice = Choice.among(self.widths.channels[name], self.widths.genome, edit)
            alone = all(len(group.makers) == 1 for group in choice.groups)
            if (alone or self.residual == "coupled") and _can_shrink(choice):
                found[f"{target}:{part}"] = choice
        return found

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many channels each group has."""
        return {name: choice.size for name, choice in self.choices.items()}

    def fitted(self, genes: PruningGenes) -> Mapping[str, Kept]:
        """Return the genes for the widths there are now, complete."""
        return {name: self._fitted(name, size, genes) for name, size in self.sizes.items()}

    def thinned(self, kept: Mapping[str, Kept]) -> Genome:
        """Return the genome, edits as they are, in which each named group has `keep` channels.

        Raises:
            EditError: if a group is not there, or would have no channel or more than before.
        """
        genome = self.widths.genome
        fewer: dict[str, Counter[str]] = {name: Counter() for name in genome.architecture}
        for name, gene in kept.items():
            if name not in self.choices:
                raise EditError(f"there is no group of channels {name!r} to prune")
            choice = self.choices[name]
            if not 1 <= gene.keep <= choice.size:
                raise EditError(
                    f"{name} keeps {gene.keep} of {choice.size} channels; give 1 or more"
                )
            fewer[choice.name].update(choice.added(gene.keep - choice.size))
        for name, changes in fewer.items():
            graph = genome.architecture[name]
            nodes = [
                replace(node, params={**node.params, "out": node.params["out"] + changes[node.id]})
                for node in graph.nodes
                if changes[node.id]
            ]
            if nodes:
                genome = genome.with_graph(name, graph.with_nodes(nodes))
        return genome

    def _fitted(self, name: str, size: int, genes: PruningGenes) -> Kept:
        gene = genes.kept.get(name) or genes.kept.get(_branched_from(name, self.widths.genome))
        if gene is None:
            return Kept(size, size)
        if size >= gene.width:
            return Kept(gene.keep + size - gene.width, size)
        return Kept(max(1, round(gene.keep * size / gene.width)), size)


def fitted(genome: Genome, genes: PruningGenes) -> Mapping[str, Kept]:
    """Return the genes for the widths that a genome has, complete; none for single weights."""
    if genes.schedule.granularity == "weight":
        return {}
    return Prunable.of(genome, genes.schedule.residual).fitted(genes)


def _can_shrink(choice: Choice) -> bool:
    """Return whether the group may lose a channel: mirrored blocks must stay alike."""
    try:
        choice.added(-1)
    except EditError:
        return False
    return True


def _branched_from(name: str, genome: Genome) -> str:
    """Return the name of the group whose layer was branched into this one, or nothing."""
    target, _, part = name.rpartition(":")
    made_by = target.rpartition("_")[2]
    for edit in genome.edits:
        if edit.operator == "branch" and edit.id == made_by:
            return f"{edit.targets[0]}:{part}"
    return ""
