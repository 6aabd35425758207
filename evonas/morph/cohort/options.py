"""What a search allows its cohorts to become."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import final

from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.genome.cohort import Spec
from evonas.genome.cohort_kinds import AggregatorKind, LossKind, Tap

Taps = Callable[[Genome], Mapping[str, Tap]]


def _none(_: Genome) -> Mapping[str, Tap]:
    return {}


@final
@dataclass(frozen=True, kw_only=True)
class CohortOptions:
    """The question, as far as it concerns cohorts.

    Attributes:
        losses: What edges may be of, by plug-in name; `task` is not among them.
        aggregators: What aggregators may be, by plug-in name.
        samplers: What stages may draw samples by.
        scorers: The names of those samplers that want a scorer.
        teachers: The taps of the run's teachers, by node.
        sizes: How many parameters each teacher has, by node.
        taps: Finds the taps of a network of the space.
        batch_size: Of the trainer, against what losses need.
        max_nodes: Members and snapshots that a cohort may have.
        max_edges: Edges that a cohort may have.
        has_labels: Whether samples have labels from which an aggregator could learn.
    """

    losses: Mapping[str, LossKind] = field(default_factory=dict)
    aggregators: Mapping[str, AggregatorKind] = field(default_factory=dict)
    samplers: tuple[Spec, ...] = ({"name": "shuffled"},)
    scorers: frozenset[str] = frozenset()
    teachers: Mapping[str, Mapping[str, Tap]] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    taps: Taps = _none
    batch_size: int = 64
    max_nodes: int = 4
    max_edges: int = 16
    has_labels: bool = True

    def __post_init__(self) -> None:
        if not self.samplers or self.max_nodes < 0 or self.max_edges < 1:
            raise ConfigError(
                "a cohort needs a sampler, max_nodes >= 0 and max_edges >= 1, given"
                f" max_nodes = {self.max_nodes!r}, max_edges = {self.max_edges!r}"
            )

    def without_labels(self) -> "CohortOptions":
        """Return what is left where samples have no labels."""
        return replace(
            self,
            losses={name: kind for name, kind in self.losses.items() if kind.per_class == 1},
            aggregators={
                name: kind for name, kind in self.aggregators.items() if not kind.needs_labels
            },
            samplers=({"name": "shuffled"},),
            scorers=frozenset(),
            has_labels=False,
        )
