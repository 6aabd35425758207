"""Edits that change widths: which groups of channels they name, and the graph they lead to."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from evonas.errors import EditError
from evonas.genome import Edit, Genome, LayerGraph
from evonas.morph.channels import Channels, Group
from evonas.morph.insertion import graph_of
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
        return cls.among(Channels.of(graph_of(genome, edit.targets[0])[1]), genome, edit)

    @classmethod
    def among(cls, channels: Channels, genome: Genome, edit: Edit) -> "Choice":
        """Find the same in a graph whose channel classes are known."""
        name, graph, layer = graph_of(genome, edit.targets[0])
        return cls(name, graph, channels, tuple(_mirrored(graph, channels, layer, edit)))

    @property
    def size(self) -> int:
        """How many classes each of the groups has, at least."""
        return min(len(group.classes) for group in self.groups)

    def added(self, change: int) -> Mapping[str, int]:
        """Return how many channels every layer gets if each group gets `change` classes.

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
        return wider

    def resized(self, change: int) -> LayerGraph:
        """Return the graph in which each group has `change` more classes.

        Raises:
            EditError: if `added` does.
        """
        nodes = [(self.graph[maker], count) for maker, count in self.added(change).items()]
        graph = self.graph.with_nodes(
            replace(node, params={**node.params, "out": node.params["out"] + count})
            for node, count in nodes
        )
        graph.validate()
        return graph


@final
@dataclass(frozen=True, eq=False)
class Widths:
    """The channel classes of a genome, found once for all the edits that a mutation tries."""

    genome: Genome
    channels: Mapping[str, Channels]

    @classmethod
    def of(cls, genome: Genome) -> "Widths":
        """Find the classes of all its graphs."""
        return cls(
            genome, {name: Channels.of(graph) for name, graph in genome.architecture.items()}
        )

    @property
    def resizable(self) -> Sequence[tuple[str, int, int]]:
        """Every target whose width may change, with its part and its number of classes."""
        found: dict[tuple[str, int], int] = {}
        for name, channels in self.channels.items():
            graph = self.genome.architecture[name]
            for group in channels.groups:
                maker = next(iter(group.makers))
                target = f"{name}/{site(graph, graph[maker])}"
                part = channels.parts(maker).index(group)
                found.setdefault((target, part), len(group.classes))
        return [(target, part, size) for (target, part), size in found.items()]

    def added(self, edit: Edit, change: int) -> Mapping[str, int]:
        """Return how many channels every layer gets from an edit.

        Raises:
            EditError: if the edit does not apply.
        """
        name, _, _ = graph_of(self.genome, edit.targets[0])
        return Choice.among(self.channels[name], self.genome, edit).added(change)


def first_applicable(applied: Callable[[Edit], object], edits: Iterable[Edit]) -> Edit | None:
    """Return the first of some edits that can be applied: that raises no `EditError`."""
    for edit in edits:
        try:
            applied(edit)
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
