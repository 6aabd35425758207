"""Edits that change widths: which groups of channels they name, and the graph they lead to."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph
from evonas.morph.channels import Channels, Group
from evonas.morph.insertion import graph_of
from evonas.morph.mutation import Mutation
from evonas.morph.naming import instances, site


@final
@dataclass(frozen=True)
class Choice:
    """The groups that an edit resizes: `part` of the target's channels, in every mirrored block.

    Attributes:
        name: The graph's name.
        graph: The graph before the edit.
        channels: Its channel classes.
        groups: The groups, with those of mirrored layers, so that mirrored blocks stay alike.
    """

    name: str
    graph: LayerGraph
    channels: Channels
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, genome: Genome, edit: Edit) -> "Choice":
        """Find what an edit with the argument `part` resizes.

        Raises:
            EditError: if there is no such layer or part, or a mirrored one cannot change.
        """
        name, graph, layer = graph_of(genome, edit.targets[0])
        channels = Channels.of(graph)
        return cls(name, graph, channels, tuple(_mirrored(graph, channels, layer, edit)))

    @property
    def size(self) -> int:
        """How many classes each of the groups has, at least."""
        return min(len(group.classes) for group in self.groups)

    def resized(self, change: int) -> LayerGraph:
        """Return the graph in which each group has `change` more classes.

        Raises:
            EditError: if nothing would be left, or mirrored blocks would differ.
        """
        if self.size + change < 1:
            raise EditError(f"{-change} of {self.size} channels cannot be taken away")
        wider: Counter[str] = Counter()
        for group in self.groups:
            wider.update({maker: count * change for maker, count in group.makers.items()})
        for maker in wider:
            for twin in instances(self.graph, site(self.graph, self.graph[maker])):
                if wider[twin] != wider[maker]:
                    raise EditError(f"layers {maker!r} and {twin!r} are mirrored and would differ")
        nodes = [self.graph[maker] for maker in wider]
        graph = self.graph.with_nodes(
            replace(node, params={**node.params, "out": node.params["out"] + wider[node.id]})
            for node in nodes
        )
        graph.validate()
        return graph


def resizable(genome: Genome) -> Sequence[tuple[str, int, int]]:
    """Return every target whose width may change, with its part and its number of classes."""
    found: dict[tuple[str, int], int] = {}
    for name, graph in genome.architecture.items():
        channels = Channels.of(graph)
        for group in channels.groups:
            maker = next(iter(group.makers))
            target = f"{name}/{site(graph, graph[maker])}"
            part = channels.parts(maker).index(group)
            found.setdefault((target, part), len(group.classes))
    return [(target, part, size) for (target, part), size in found.items()]


def first_applicable(mutation: Mutation, genome: Genome, edits: Iterable[Edit]) -> Edit | None:
    """Return the first of some edits that applies to a genome."""
    for edit in edits:
        try:
            mutation.apply(genome, edit)
        except EditError:
            continue
        return edit
    return None


def _mirrored(graph: LayerGraph, channels: Channels, layer: str, edit: Edit) -> Iterator[Group]:
    """Yield the named group and all that mirroring drags along, each once."""
    part: int = edit.args["part"]
    pending = [(maker, part) for maker in instances(graph, layer)]
    seen: set[int] = set()
    while pending:
        maker, number = pending.pop(0)
        group = channels.part(maker, number)
        if int(group.classes[0]) in seen:
            continue
        seen.add(int(group.classes[0]))
        yield group
        for other in group.makers:
            number = channels.parts(other).index(group)
            twins = instances(graph, site(graph, graph[other]))
            pending.extend((twin, number) for twin in twins if twin != other)
