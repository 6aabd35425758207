"""What a report says about pruning: what the rebuilding cost, and what is left where."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

from evonas.genome import Genome
from evonas.genome.past_pruning import PastPruning, method
from evonas.genome.pruning import Kept
from evonas.history import History, Individual
from evonas.morph.naming import site

MASKED, COMPACT = "masked_error", "compact_error"
"""Metrics of a birth that was pruned: of the network as trained last, and as rebuilt."""


@final
@dataclass(frozen=True)
class PrunedBirth:
    """A birth that was pruned while it trained.

    Attributes:
        individual: The one that was born.
        method: The published method by which it was pruned, or `own`.
        masked: Error of the network as the last step of training left it.
        compact: Error of the network rebuilt without what was pruned.
    """

    individual: Individual
    method: str
    masked: float
    compact: float


@final
@dataclass(frozen=True)
class Method:
    """What became of the births that one method pruned.

    Attributes:
        name: Of the method.
        births: How many.
        gap: Mean of the error rebuilt minus the error masked.
        best: The lowest error rebuilt.
    """

    name: str
    births: int
    gap: float
    best: float


def pruned_births(history: History) -> list[PrunedBirth]:
    """Return the births that were pruned while they trained; repeats and diverged ones left out."""
    found: list[PrunedBirth] = []
    for one, outcome in history.evaluated():
        pruning = PastPruning.of(one.birth.genome)
        masked, compact = (outcome.metrics.get(name, math.nan) for name in (MASKED, COMPACT))
        if pruning and outcome.same_as is None and math.isfinite(masked + compact):
            found.append(PrunedBirth(one, method(pruning.schedule), masked, compact))
    return found


def methods(births: Sequence[PrunedBirth]) -> list[Method]:
    """Return what became of every method's births, the method with the lowest error first."""
    by_name: dict[str, list[PrunedBirth]] = {}
    for birth in births:
        by_name.setdefault(birth.method, []).append(birth)
    rows = [
        Method(
            name=name,
            births=len(made),
            gap=sum(one.compact - one.masked for one in made) / len(made),
            best=min(one.compact for one in made),
        )
        for name, made in by_name.items()
    ]
    return sorted(rows, key=lambda row: (row.best, row.name))


def pruned_by(individual: Individual) -> str:
    """Return in a few words how an individual or the nearest of its line was pruned, if ever."""
    pruning = PastPruning.of(individual.birth.genome)
    return pruning.text if pruning else ""


def kept_by_group(members: Sequence[Individual]) -> dict[str, dict[int, Kept]]:
    """Return what each member's last pruning left of each group, in the order of the layers."""
    found: dict[str, dict[int, Kept]] = {}
    for one in members:
        pruning = PastPruning.of(one.birth.genome)
        if pruning is None:
            continue
        for name in _in_layer_order(pruning.kept, one.birth.genome):
            found.setdefault(name, {})[one.number] = pruning.kept[name]
    return found


def _in_layer_order(names: Iterable[str], genome: Genome) -> list[str]:
    """Return names of groups as their layers stand in the networks; layers that are gone last."""
    sites = dict.fromkeys(
        f"{name}/{site(graph, node)}"
        for name, graph in genome.architecture.items()
        for node in graph.nodes
    )
    place = {name: at for at, name in enumerate(sites)}
    return sorted(names, key=lambda name: place.get(name.partition(":")[0], len(place)))
