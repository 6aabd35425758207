"""Pruning genes read on a genome's layer graphs: what may be pruned, how much stays, what results.

Genes are read through the graph at hand, so they fit after every edit: channels that an edit added
stay, a layer that lost channels keeps the same part of those it has, the halves of a branched layer
both have its gene, and what the genes do not know (a fresh layer) stays as it is. Single weights
are read likewise, layer by layer.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph, Node
from evonas.genome.pruning import Kept, PruningGenes
from evonas.genome.schedule import Granularity, Residual
from evonas.morph.channels import MAKERS
from evonas.morph.naming import instances, site, split_target
from evonas.morph.widths import Choice, Widths


@final
@dataclass(frozen=True, eq=False)
class Prunable:
    """What can be pruned of a genome, found once: groups of channels, or layers' single weights.

    Attributes:
        widths: The genome with its channel classes.
        residual: See `evonas.genome.schedule.Schedule`.
        granularity: The same.
    """

    widths: Widths
    residual: Residual
    granularity: Granularity = "filter"

    @classmethod
    def of(
        cls, genome: Genome, residual: Residual, granularity: Granularity = "filter"
    ) -> "Prunable":
        """Find what can be pruned of a genome."""
        return cls(Widths.of(genome), residual, granularity)

    @cached_property
    def choices(self) -> Mapping[str, Choice]:
        """What each name of a group of channels stands for, mirrored blocks included."""
        found: dict[str, Choice] = {}
        for target, part, _ in self.widths.resizable:
            name = split_target(target)[0]
            edit = Edit("", (target,), {"part": part})
            choice = Choice.among(self.widths.channels[name], self.widths.genome, edit)
            alone = all(len(group.makers) == 1 for group in choice.groups)
            if (alone or self.residual == "coupled") and _can_shrink(choice):
                found[f"{target}:{part}"] = choice
        return found

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """How many channels, or single weights in one of mirrored layers, each name stands for."""
        if self.granularity == "filter":
            return {name: choice.size for name, choice in self.choices.items()}
        return {name: math.prod(shape) for name, shape in self.shapes.items()}

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each layer's weight, of the smallest one among mirrored layers."""
        return {
            f"{name}/{site(graph, node)}": shape
            for name, graph in self.widths.genome.architecture.items()
            for node, shape in _weights(graph)
        }

    def fitted(self, genes: PruningGenes) -> Mapping[str, Kept]:
        """Return the genes for the widths there are now, complete."""
        return {name: self._fitted(name, size, genes) for name, size in self.sizes.items()}

    def check(self, kept: Mapping[str, Kept]) -> None:
        """Refuse counts that cannot be kept here.

        Raises:
            EditError: if a name is not there, or would keep nothing or more than there is.
        """
        what = "group of channels" if self.granularity == "filter" else "layer with weights"
        for name, gene in kept.items():
            if name not in self.sizes:
                raise EditError(f"there is no {what} {name!r} to prune")
            if not 1 <= gene.keep <= self.sizes[name]:
                raise EditError(
                    f"{name} keeps {gene.keep!r} of {self.sizes[name]}; give 1 to"
                    f" {self.sizes[name]}"
                )

    def thinned(self, kept: Mapping[str, Kept]) -> Genome:
        """Return the genome, edits as they are, in which each named group has `keep` channels.

        Of single weights it is the same network.

        Raises:
            EditError: if a group is not there, or would have no channel or more than before.
        """
        self.check(kept)
        genome = self.widths.genome
        if self.granularity == "weight":
            return genome
        fewer: dict[str, Counter[str]] = {name: Counter() for name in genome.architecture}
        for name, gene in kept.items():
            change = gene.keep - self.sizes[name]
            makers = {maker: count * change for maker, count in self._makers[name].items()}
            fewer[self.choices[name].name].update(makers)
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

    @cached_property
    def _makers(self) -> Mapping[str, Mapping[str, int]]:
        """For each group how many channels every layer has of one of its channels."""
        return {name: choice.added(1) for name, choice in self.choices.items()}

    def _fitted(self, name: str, size: int, genes: PruningGenes) -> Kept:
        gene = _gene_of(name, self.widths.genome, genes.kept)
        if gene is None:
            return Kept(size, size)
        if size >= gene.width:
            return Kept(gene.keep + size - gene.width, size)
        return Kept(max(1, round(gene.keep * size / gene.width)), size)


def fitted(genome: Genome, genes: PruningGenes) -> Mapping[str, Kept]:
    """Return the genes for the widths that a genome has, complete."""
    schedule = genes.schedule
    return Prunable.of(genome, schedule.residual, schedule.granularity).fitted(genes)


def _can_shrink(choice: Choice) -> bool:
    """Return whether the group may lose a channel: mirrored blocks must stay alike."""
    try:
        choice.added(-1)
    except EditError:
        return False
    return True


def _gene_of(name: str, genome: Genome, kept: Mapping[str, Kept]) -> Kept | None:
    """Return the gene of a layer, or of the one that it was branched from, if there is any."""
    while name and name not in kept:
        name = _branched_from(name, genome)
    return kept.get(name)


def _branched_from(name: str, genome: Genome) -> str:
    """Return the name of what was branched into this, or nothing."""
    target, colon, part = name.partition(":")
    made_by = target.rpartition("_")[2]
    for edit in genome.edits:
        if edit.operator == "branch" and edit.id == made_by:
            return f"{edit.targets[0]}{colon}{part}"
    return ""


def _weights(graph: LayerGraph) -> Iterator[tuple[Node, tuple[int, ...]]]:
    """Yield the layers whose single weights may be pruned, with the smallest twin's shape."""
    last = _last_makers(graph)
    for where in dict.fromkeys(site(graph, node) for node in graph.nodes if node.op in MAKERS):
        twins = [graph[twin] for twin in instances(graph, where)]
        if not any(twin.frozen or twin.id in last for twin in twins):
            yield twins[0], min((_shape(graph, twin) for twin in twins), key=math.prod)


def _shape(graph: LayerGraph, node: Node) -> tuple[int, ...]:
    """Return the shape of the layer's weight."""
    columns: int = graph.shapes[node.inputs[0]][0] // node.params.get("groups", 1)
    return (node.params["out"], columns, *node.params.get("kernel", ()))


def _last_makers(graph: LayerGraph) -> frozenset[str]:
    """Return the layers whose channels leave the network."""
    found: set[str] = set()
    pending = [graph.output.id]
    while pending:
        node = graph[pending.pop()]
        if node.op in MAKERS:
            found.add(node.id)
        else:
            pending.extend(node.inputs)
    return frozenset(found)
