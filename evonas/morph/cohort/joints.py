"""What may be joined in a cohort: whether an edge's ends and an aggregator's inputs fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from evonas.errors import EditError, unknown
from evonas.genome import Genome
from evonas.genome.cohort import Aggregator, Cohort, Edge, split_end
from evonas.genome.cohort_kinds import LOGITS, AggregatorKind, Ends, LossKind, Tap
from evonas.genome.shapes import Shape
from evonas.morph.cohort.learning import TASK, made_of
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.taps import node_taps

_TASK = LossKind(ends="logits", has_source=False)


@final
@dataclass(frozen=True)
class Joints:
    """The ends that the parts of a cohort have, and the rules by which they are joined.

    Attributes:
        cohort: The genes.
        options: What the search allows.
        taps: Of every node, and maybe of others, by node and tap.
    """

    cohort: Cohort
    options: CohortOptions
    taps: Mapping[str, Mapping[str, Tap]]

    @classmethod
    def of(cls, genome: Genome, cohort: Cohort, options: CohortOptions) -> "Joints":
        """Find the taps of all nodes.

        Raises:
            EditError: naming the node that has none.
        """
        return cls(cohort, options, node_taps(genome, cohort, options))

    def kind(self, edge: Edge) -> LossKind:
        """Return what an edge's loss needs.

        Raises:
            EditError: if there is no such loss.
        """
        name = edge.loss["name"]
        if name == TASK:
            return _TASK
        if name not in self.options.losses:
            raise EditError(str(unknown("loss", name, [TASK, *self.options.losses])))
        return self.options.losses[name]

    def rule(self, name: str) -> AggregatorKind:
        """Return what an aggregator needs.

        Raises:
            EditError: naming the aggregator, if it is not there or its rule is unknown.
        """
        rule = self.cohort.aggregators[name].rule["name"]
        if rule not in self.options.aggregators:
            error = unknown("aggregator", rule, self.options.aggregators)
            raise EditError(f"the aggregator {name!r}: {error}")
        return self.options.aggregators[rule]

    def shape(self, end: str, ends: Ends) -> Shape:
        """Return the shape of an end, which must be of this kind.

        Raises:
            EditError: if it is not there, or of another kind.
        """
        name, tap = split_end(end)
        if name in self.cohort.aggregators and not tap:
            made = self.rule(name).inputs
            if made != ends and (made, ends) != ("logits", "vectors"):
                raise EditError(f"{end!r} makes {made}, and {ends} are needed")
            return self.shape(self._first(name), made)
        if name not in self.cohort.nodes:
            known = ", ".join(sorted([*self.cohort.nodes, *self.cohort.aggregators]))
            raise EditError(f"the cohort has no {name!r} (known: {known})")
        if tap not in self.taps[name]:
            raise EditError(
                f"{name!r} has no tap {tap!r}; the taps of {name} are"
                f" {', '.join(self.taps[name]) or 'none'}"
            )
        shape = self.taps[name][tap].shape
        if not _fits(tap, shape, ends):
            raise EditError(f"{end!r} has the shape {shape}, and {ends} are needed")
        return shape

    def check_edge(self, edge: Edge) -> None:
        """Check that an edge's loss can join its ends.

        Raises:
            EditError: naming the edge.
        """
        try:
            self._check_edge(edge)
        except EditError as error:
            raise EditError(f"the edge {edge.name!r}: {error}") from None

    def check_aggregator(self, name: str) -> None:
        """Check that an aggregator's rule can join its inputs.

        Raises:
            EditError: naming the aggregator.
        """
        kind = self.rule(name)
        try:
            self._check_aggregator(self.cohort.aggregators[name], kind)
        except EditError as error:
            raise EditError(f"the aggregator {name!r}: {error}") from None

    def _first(self, name: str) -> str:
        if name in made_of(self.cohort, name) or not self.cohort.aggregators[name].inputs:
            raise EditError(f"the aggregator {name!r} is made of itself, or of nothing")
        return self.cohort.aggregators[name].inputs[0]

    def _check_edge(self, edge: Edge) -> None:
        kind = self.kind(edge)
        if bool(edge.source) != kind.has_source:
            needs = "needs a source" if kind.has_source else "takes no source"
            raise EditError(f"{edge.loss['name']!r} {needs}")
        _check_numbers(edge)
        self._check_single(edge.to)
        to = self.shape(edge.to, kind.ends)
        if not kind.has_source:
            return
        source = self.shape(edge.source, kind.ends)
        if edge.source == edge.to:
            raise EditError("it starts where it ends")
        (start, _), (end, _) = split_end(edge.source), split_end(edge.to)
        if edge.both and start == end:
            raise EditError(f"both of its ends are of {end!r}; let one of them learn, not both")
        self._check_rows(start, end)
        if kind.adapts == "no":
            _check_alike(kind.ends, edge.source, source, edge.to, to)

    def _check_single(self, end: str) -> None:
        if end in self.cohort.aggregators and self.rule(end).has_rows:
            raise EditError(f"{end!r} has several outputs, one for each of its inputs")

    def _check_rows(self, start: str, end: str) -> None:
        if start not in self.cohort.aggregators or not self.rule(start).has_rows:
            return
        inputs = {split_end(one)[0] for one in self.cohort.aggregators[start].inputs}
        if end not in inputs:
            raise EditError(
                f"{start!r} has an output for each of {', '.join(sorted(inputs))}, and none for"
                f" {end!r}"
            )

    def _check_aggregator(self, aggregator: Aggregator, kind: AggregatorKind) -> None:
        if not aggregator.inputs:
            raise EditError("it has no inputs")
        if aggregator.learns == "labels" and kind.inputs != "logits":
            raise EditError(f"labels say nothing about {kind.inputs}; it can learn from edges")
        if aggregator.learns == "labels" and not self.options.has_labels:
            raise EditError(
                "there are no labels from which it could learn; let it learn from edges"
            )
        shapes = [self.shape(end, kind.inputs) for end in aggregator.inputs]
        for end, shape in zip(aggregator.inputs, shapes, strict=True):
            if not kind.adapts:
                _check_alike(kind.inputs, aggregator.inputs[0], shapes[0], end, shape)
            self._check_single(end)
        wanted = {"none": 0, "one": 1, "each": len(aggregator.inputs)}[kind.queries]
        if len(aggregator.queries) != wanted:
            raise EditError(
                f"{aggregator.rule['name']!r} needs {wanted} queries, given"
                f" {len(aggregator.queries)}"
            )
        for end in aggregator.queries:
            self.shape(end, kind.query_ends)


def _fits(tap: str, shape: Shape, ends: Ends) -> bool:
    match ends:
        case "logits":
            return tap == LOGITS and len(shape) == 1
        case "maps":
            return len(shape) == 3
        case "vectors":
            return len(shape) == 1


def _check_alike(ends: Ends, first: str, one: Shape, second: str, other: Shape) -> None:
    if one == other:
        return
    if ends == "logits":
        raise EditError(f"{first!r} has {one[0]} classes, and {second!r} {other[0]}")
    raise EditError(f"{first!r} has the shape {one}, and {second!r} {other}")


def _check_numbers(edge: Edge) -> None:
    temperature = edge.loss.get("temperature", 1.0)
    if not temperature > 0:
        raise EditError(f"a temperature is above 0, given {temperature!r}")
    if min(edge.weight.start, edge.weight.end) < 0:
        raise EditError(f"a weight is never negative, given {edge.weight!r}")
