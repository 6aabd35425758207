"""What a report says about cohorts: the trainer's diagnosis of an evaluation, as plain facts.

With every epoch a trainer reports how an edge is doing, as `cohort/EDGE/loss`, `.../weight` and
`.../gradient`, the norm of its gradient where it arrives; how evenly an aggregator weighs its
inputs, as `cohort/AGGREGATOR/entropy`; and how far the networks are apart, `cohort/diversity`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from evonas.genome.cohort import COHORT, Cohort, Edge, split_end
from evonas.genome.past_cohort import PastCohort
from evonas.history import Evaluation, Individual

PREFIX = f"{COHORT}/"
DEAD = 1e-3
"""Part of the largest gradient at the same node below which an edge does nothing."""

Series = Sequence[tuple[int, float]]


@final
@dataclass(frozen=True, kw_only=True)
class EdgeEnd:
    """How an edge did when its candidate's training was over, or when it was last active.

    Attributes:
        edge: The edge.
        weight: What its loss was multiplied by; None, as the others, if nothing was reported.
        loss: The loss itself.
        gradient: The norm of its gradient at the end that learns.
        is_dead: Whether it taught nothing: no weight, or hardly any gradient beside others.
    """

    edge: Edge
    weight: float | None = None
    loss: float | None = None
    gradient: float | None = None
    is_dead: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """How a cohort did.

    Attributes:
        number: Of the candidate.
        cohort: Its cohort.
        text: The cohort in a few words.
        edges: In the order of the genes.
        entropies: By aggregator: how evenly it weighed, over the epochs.
        diversity: How far the networks were apart, over the epochs.
    """

    number: int
    cohort: Cohort
    text: str
    edges: tuple[EdgeEnd, ...]
    entropies: Mapping[str, Series]
    diversity: Series

    @property
    def dead(self) -> frozenset[str]:
        """The names of the edges that taught nothing."""
        return frozenset(end.edge.name for end in self.edges if end.is_dead)


def diagnosis(individual: Individual) -> Diagnosis | None:
    """Return how the cohort of an evaluated individual did, if it has one."""
    past, outcome = PastCohort.of(individual.birth.genome), individual.outcome
    if past is None or not isinstance(outcome, Evaluation):
        return None
    series = _series(outcome)
    entropies = {name: series.get(f"{name}/entropy", ()) for name in past.cohort.aggregators}
    return Diagnosis(
        number=individual.number,
        cohort=past.cohort,
        text=past.text,
        edges=_edge_ends(past.cohort, series),
        entropies={name: points for name, points in entropies.items() if points},
        diversity=series.get("diversity", ()),
    )


def learns_with(individual: Individual) -> str:
    """Return in a few words with whom an individual learns, if with anyone."""
    past = PastCohort.of(individual.birth.genome)
    return past.text if past else ""


def without_diagnosis(metrics: Mapping[str, float]) -> Mapping[str, float]:
    """Return the metrics that judge a candidate, without those that tell how its cohort does."""
    return {name: value for name, value in metrics.items() if not name.startswith(PREFIX)}


def _series(outcome: Evaluation) -> Mapping[str, Series]:
    """Return what was reported of the cohort by name, without the prefix."""
    found: dict[str, list[tuple[int, float]]] = {}
    for step, metrics in outcome.curve:
        for name, value in metrics.items():
            if name.startswith(PREFIX):
                found.setdefault(name.removeprefix(PREFIX), []).append((step, value))
    return found


def _edge_ends(cohort: Cohort, series: Mapping[str, Series]) -> tuple[EdgeEnd, ...]:
    gradients = {edge.name: series.get(f"{edge.name}/gradient", ()) for edge in cohort.edges}
    largest: dict[tuple[str, int], float] = {}
    for edge in cohort.edges:
        for step, value in gradients[edge.name]:
            place = split_end(edge.to)[0], step
            largest[place] = max(value, largest.get(place, 0.0))
    return tuple(_edge_end(edge, series, largest) for edge in cohort.edges)


def _edge_end(
    edge: Edge, series: Mapping[str, Series], largest: Mapping[tuple[str, int], float]
) -> EdgeEnd:
    """Return the last numbers of an edge, judged by the largest gradient at its node then."""
    numbers = {
        name: points[-1]
        for name in ("weight", "loss", "gradient")
        if (points := series.get(f"{edge.name}/{name}"))
    }
    step, gradient = numbers.get("gradient", (0, None))
    top = largest.get((split_end(edge.to)[0], step), 0.0)
    is_weak = gradient is not None and gradient <= DEAD * top
    last = {name: value for name, (_, value) in numbers.items()}
    is_off = last.get("weight", edge.weight.at(1.0)) == 0
    return EdgeEnd(edge=edge, **last, is_dead=is_weak or is_off)
