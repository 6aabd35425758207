"""What a cohort's edges need besides the networks: losses, adapters, heads, matchers, aggregators.

Modules have names of their own that depend on the genes alone, so that a child finds its parent's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from evonas import devices, plugins, seeds
from evonas.aggregation import Aggregation, Combination
from evonas.cohort_plan import CohortPlan
from evonas.errors import ConfigError
from evonas.genome.cohort import Cohort, Edge
from evonas.genome.cohort_kinds import AggregatorKind, LossKind
from evonas.genome.shapes import Shape
from evonas.transfer import Transfer
from evonas_trainers.distillation.learning import matching
from evonas_trainers.distillation.learning.adapters import adapter, adopt, head
from evonas_trainers.distillation.learning.networks import tap_at

_Make = Callable[[], nn.Module]

TASK = "task"
"""The loss that is the trainer's own."""


@final
@dataclass(frozen=True)
class Scaffold:
    """The losses and modules of one cohort.

    Attributes:
        transfers: By edge name; none for the trainer's loss.
        kinds: Of the aggregators, by name.
        modules: All that learns, by key; for the optimizer and the state. What matches samples
            wants no gradient: it learns by steps of its own.
    """

    transfers: Mapping[str, Transfer]
    kinds: Mapping[str, AggregatorKind]
    modules: nn.ModuleDict

    def combination(self, aggregator: str) -> Combination:
        """Return an aggregator's module."""
        found = self.modules[aggregator_key(aggregator)]
        assert isinstance(found, Combination), "aggregators are combinations"
        return found


def ends(cohort: Cohort) -> Iterator[str]:
    """Yield every end that is read, some of them more than once."""
    for edge in cohort.edges:
        yield edge.to
        if edge.source:
            yield edge.source
    for one in cohort.aggregators.values():
        yield from one.inputs
        yield from one.queries


def aggregator_key(name: str) -> str:
    """Return the key of an aggregator's module."""
    return f"aggregator/{name}"


def adapter_key(edge: Edge) -> str:
    """Return the key of the map at the learning end of an edge."""
    return f"match/{edge.name}".replace(".", "_")


def head_key(end: str, width: int) -> str:
    """Return the key of the head on an end, shared by all edges that embed it so wide."""
    return f"head/{end}/{width}"


def scaffold(plan: CohortPlan, seed: int, device: torch.device) -> Scaffold:
    """Make the losses and modules; every module from a seed of its own, or inherited.

    Raises:
        ConfigError: naming the edge or aggregator whose ends do not fit.
    """
    cohort = plan.cohort
    transfers = {
        edge.name: plugins.construct(Transfer, edge.loss, f"edge {edge.name!r}")
        for edge in cohort.edges
        if edge.loss["name"] != TASK
    }
    rules = {
        name: plugins.construct(Aggregation, one.rule, f"aggregator {name!r}")
        for name, one in cohort.aggregators.items()
    }
    makers: dict[str, _Make] = {}
    for name, one in cohort.aggregators.items():
        shapes = _shapes(plan, one.inputs), _shapes(plan, one.queries)
        makers[aggregator_key(name)] = partial(rules[name].start, *shapes)
    for edge in cohort.edges:
        if edge.name in transfers:
            makers |= _adapters(plan, edge, transfers[edge.name].kind)
    makers |= matching.matchers(cohort, partial(_shape, plan))
    modules = nn.ModuleDict()
    for key, make in sorted(makers.items()):
        with devices.seeded(seeds.integer(seed, "scaffold", key), device):
            modules[key] = make()
        adopt(modules[key], _inherited(plan.scaffold, key))
    for tensor in matching.parameters(modules):
        tensor.requires_grad_(False)
    kinds = {name: rule.kind for name, rule in rules.items()}
    return Scaffold(transfers, kinds, modules.to(device))


def _adapters(plan: CohortPlan, edge: Edge, kind: LossKind) -> Mapping[str, _Make]:
    """Return how to make what an edge needs, by key."""
    to = _shape(plan, edge.to)
    source = _shape(plan, edge.source) if edge.source else to
    match kind.adapts:
        case "embed":
            found = [edge.to, edge.source] if edge.source else [edge.to]
            return {
                head_key(end, kind.width): partial(head, _shape(plan, end), kind.width)
                for end in found
            }
        case "match" if to != source:
            return {adapter_key(edge): partial(adapter, to, source, edge.name)}
        case "no" if to != source:
            raise ConfigError(
                f"edge {edge.name!r} joins shapes {source} and {to}, and its loss wants equal ones;"
                " choose other taps, or a loss that adapts"
            )
        case _:
            return {}


def _shapes(plan: CohortPlan, ends_: Sequence[str]) -> Sequence[Shape]:
    return [_shape(plan, end) for end in ends_]


def _shape(plan: CohortPlan, end: str) -> Shape:
    """Return an end's shape; an aggregator's is that of its inputs."""
    aggregators = plan.cohort.aggregators
    while end in aggregators:
        end = aggregators[end].inputs[0]
    return tap_at(plan, end).shape


def _inherited(tensors: Mapping[str, Tensor], key: str) -> Mapping[str, Tensor]:
    start = f"{key}."
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }
