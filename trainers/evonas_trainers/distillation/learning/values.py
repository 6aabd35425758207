"""The tensors at a cohort's ends in one step: each computed once, whoever asks."""

from collections.abc import Collection
from typing import final

from torch import Tensor

from evonas.genome.cohort import Cohort, Edge, split_end
from evonas_trainers.distillation.learning.matching import Matching
from evonas_trainers.distillation.learning.networks import Networks
from evonas_trainers.distillation.learning.scaffold import TASK, Scaffold, adapter_key, head_key
from evonas_trainers.slots import Criterion


@final
class Values:
    """What the networks' last runs, and the aggregators of them, have at the ends."""

    def __init__(
        self,
        cohort: Cohort,
        networks: Networks,
        scaffold: Scaffold,
        labels: Tensor,
        *,
        matching_learns: bool = False,
    ) -> None:
        """Begin with the networks' last runs; samples' weights may be part of the gradient."""
        self._cohort, self._networks, self._scaffold = cohort, networks, scaffold
        self._labels = labels
        self._targets: dict[str, Tensor] = {}
        self._embedded: dict[str, Tensor] = {}
        self._matching_learns = matching_learns
        self._matching = Matching(cohort, scaffold.modules, self._seen)

    @property
    def aggregated(self) -> Collection[str]:
        """The aggregators that were asked for."""
        return self._targets.keys()

    def at(self, end: str) -> Tensor:
        """Return a network's value, in the precision it ran in, or an aggregator's target."""
        if end not in self._cohort.aggregators:
            return self._networks.value(end)
        if end not in self._targets:
            self._targets[end] = self._combined(end)
        return self._targets[end]

    def loss(self, edge: Edge, criterion: Criterion) -> Tensor:
        """Return an edge's loss over the batch, without its weight."""
        if edge.loss["name"] == TASK:
            return criterion(self.at(edge.to).float())
        transfer = self._scaffold.transfers[edge.name]
        if transfer.kind.adapts == "embed":
            to = self._head(edge.to, transfer.kind.width)
            source = self._embedded_source(edge, transfer.kind.width) if edge.source else None
        else:
            to = self._adapted(edge)
            source = self._source(edge) if edge.source else None
        if source is not None and not self._reaches_source(edge):
            source = source.detach()
        each = transfer.loss(to, source, self._labels)
        return (self.matched(edge) * each if edge.matched else each).mean()

    def matched(self, edge: Edge) -> Tensor:
        """Return the weight of every sample on a matched edge, (batch,)."""
        return self._matching.weights(edge)

    def label_loss(self, aggregator: str, labels: Tensor) -> Tensor:
        """Return by how much labels are unlikely under an aggregator's target."""
        return self._scaffold.combination(aggregator).label_loss(self.at(aggregator), labels)

    def _seen(self, end: str) -> Tensor:
        """Return the features by which samples are matched."""
        value = self.at(end).float()
        return value if self._matching_learns else value.detach()

    def _reaches_source(self, edge: Edge) -> bool:
        """Return whether the gradient flows on; a target that labels train is given to others."""
        aggregator = self._cohort.aggregators.get(edge.source)
        if aggregator is not None and self._scaffold.kinds[edge.source].detaches:
            return True
        return edge.both and (aggregator is None or aggregator.learns != "labels")

    def _adapted(self, edge: Edge) -> Tensor:
        to, key = self.at(edge.to).float(), adapter_key(edge)
        modules = self._scaffold.modules
        return modules[key](to) if key in modules else to

    def _source(self, edge: Edge) -> Tensor:
        """Return the source's value; of an aggregator with rows, that of the node it goes to."""
        source = self.at(edge.source).float()
        kind = self._scaffold.kinds.get(edge.source)
        if kind is None or not kind.has_rows:
            return source
        nodes = [split_end(end)[0] for end in self._cohort.aggregators[edge.source].inputs]
        return source[nodes.index(split_end(edge.to)[0])]

    def _embedded_source(self, edge: Edge, width: int) -> Tensor:
        """Return the source's value under its head; rows share the head, and differ by node."""
        kind = self._scaffold.kinds.get(edge.source)
        if kind is None or not kind.has_rows:
            return self._head(edge.source, width)
        return self._scaffold.modules[head_key(edge.source, width)](self._source(edge))

    def _head(self, end: str, width: int) -> Tensor:
        key = head_key(end, width)
        if key not in self._embedded:
            self._embedded[key] = self._scaffold.modules[key](self.at(end).float())
        return self._embedded[key]

    def _combined(self, name: str) -> Tensor:
        """Aggregate; from the labels only an aggregator's own parameters learn."""
        one = self._cohort.aggregators[name]
        inputs = [self.at(end).float() for end in one.inputs]
        queries = [self.at(end).float() for end in one.queries]
        if one.learns == "labels":
            inputs = [value.detach() for value in inputs]
            queries = [value.detach() for value in queries]
        return self._scaffold.combination(name)(inputs, queries, self._labels)
