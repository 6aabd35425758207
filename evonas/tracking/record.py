"""What a tracking system is told of one candidate, independent of any such system."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from evonas import lineage
from evonas.drawing import svg
from evonas.genome import Genome, canonical
from evonas.genome.cohort import COHORT, Cohort
from evonas.genome.members import MEMBERS, members
from evonas.genome.past_pruning import PastPruning, method
from evonas.genome.pruning import PRUNING
from evonas.history import Cost, Evaluation, Individual

TAG = "evonas."
NUMBER, SEARCH, OUTCOME = f"{TAG}number", f"{TAG}search", f"{TAG}outcome"
CREDIT, FRONT, MODEL = f"{TAG}credit", f"{TAG}front", f"{TAG}model"
GENOME = "genome"
GENOME_FILE, OUTCOME_FILE = "genome.json", "outcome.json"
LONGEST_VALUE = 6_000
"""Characters of a parameter; MLflow takes no more, and a longer genome is an artifact only."""
_NO_FILE_NAME = re.compile(r"[^\w\-]", re.ASCII)


@final
@dataclass(frozen=True)
class Point:
    """One value of one metric at one step; a final one comes after the curve's at this step."""

    name: str
    value: float
    step: int
    is_final: bool = False


@final
@dataclass(frozen=True)
class Record:
    """One candidate, flattened.

    Attributes:
        name: For people: number and operator.
        tags: Where it comes from, what it cost, where its weights are; its outcome, if that fits.
        params: What it is: settings, other chromosomes and counts of its layers; its genome, if
            that fits.
        points: Its learning curve, then its final metrics and costs.
        files: Texts by file name: genome, one drawing a network; its outcome, if that is no tag.
        failed: Whether it could not be evaluated.
        seconds: What it took.
    """

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]
    files: Mapping[str, str]
    failed: bool
    seconds: float


def record(
    one: Individual,
    parent: Genome | None,
    line: Cost,
    credit: float | None = None,
    origin: Genome | None = None,
) -> Record:
    """Return the record of an individual.

    Args:
        one: The individual.
        parent: The genome of its first parent.
        line: The cost of its line, its own included.
        credit: What its edits earned, if a control is known.
        origin: The genome with which the search began, by which edits are told.
    """
    return Record(
        name=f"{one.number:04d} {one.birth.operator}",
        tags=_tags(one, parent, line, origin) | ({} if credit is None else {CREDIT: repr(credit)}),
        params=_params(one.birth.genome),
        points=tuple(_points(one, line)),
        files=_files(one),
        failed=not isinstance(one.outcome, Evaluation),
        seconds=one.outcome.cost.seconds,
    )


def flat(data: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested mappings as text by dotted path; lists stay whole."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from flat(value, f"{name}.{key}" if name else str(key))
    else:
        text = data if isinstance(data, str) else json.dumps(data)
        yield name, text[:LONGEST_VALUE]


def _tags(
    one: Individual, parent: Genome | None, line: Cost, origin: Genome | None
) -> dict[str, str]:
    birth, outcome = one.birth, one.outcome
    edits = [
        lineage.edit_name(edit, birth.genome, origin)
        for edit in lineage.added_edits(birth.genome, parent)
    ]
    tags = {
        "number": str(one.number),
        "operator": birth.operator,
        "parents": json.dumps(birth.parents),
        "seed": str(birth.seed),
        "key": birth.genome.key,
        "edits": "; ".join(edits),
        "cost": json.dumps(vars(outcome.cost)),
        "line_cost": json.dumps(vars(line)),
        **_cohort(birth.genome),
    }
    if isinstance(outcome, Evaluation):
        tags |= {"weights": outcome.weights} if outcome.weights else {}
        tags |= {"parts": str(outcome.parts)} if outcome.parts > 1 else {}
    else:
        tags |= {"failure": outcome.kind, "message": outcome.message}
    text = json.dumps(outcome.to_json())
    if len(text) <= LONGEST_VALUE:
        tags["outcome"] = text
    return {f"{TAG}{name}": value for name, value in tags.items()}


def _params(genome: Genome) -> dict[str, str]:
    counts: dict[str, int] = {"edits": len(genome.edits)}
    for name, graph in genome.architecture.items():
        counts[f"{name}.layers"] = len(graph.nodes)
        for node in graph.nodes:
            counts[f"{name}.{node.op}"] = counts.get(f"{name}.{node.op}", 0) + 1
    for name, graph in members(genome).items():
        counts[f"{MEMBERS}.{name}.layers"] = len(graph.nodes)
    told = {PRUNING, MEMBERS}
    others = {name: data for name, data in genome.chromosomes.items() if name not in told}
    params = dict(flat({**counts, "settings": genome.settings, **others, **_pruning(genome)}))
    text = canonical.text(genome.to_json())
    return params | ({GENOME: text} if len(text) <= LONGEST_VALUE else {})


def _cohort(genome: Genome) -> dict[str, str]:
    """Return what there is to look for in a cohort; the whole of it is among the parameters."""
    cohort = Cohort.of(genome)
    if cohort is None:
        return {}
    kinds = [node.kind for node in cohort.nodes.values()]
    return {
        COHORT: cohort.preset or "own",
        f"{COHORT}.edges": str(len(cohort.edges)),
        f"{COHORT}.members": str(kinds.count("member")),
    }


def _pruning(genome: Genome) -> dict[str, Any]:
    """Return by which schedule a genome was pruned last, and what was kept, if that fits."""
    past = PastPruning.of(genome)
    if past is None:
        return {}
    kept = json.dumps({name: list(pair) for name, pair in past.kept.items()})
    return {
        PRUNING: {
            **past.schedule.to_json(),
            "preset": method(past.schedule),
            "removed": past.removed,
            **({"kept": kept} if len(kept) <= LONGEST_VALUE else {}),
        }
    }


def _points(one: Individual, line: Cost) -> Iterator[Point]:
    outcome, last = one.outcome, 0
    for step, metrics in outcome.curve:
        last = max(last, step)
        yield from (Point(name, value, step) for name, value in metrics.items())
    if isinstance(outcome, Evaluation):
        yield from (Point(name, value, last, True) for name, value in outcome.metrics.items())
    for name, cost in (("cost", outcome.cost), ("line_cost", line)):
        yield from (Point(f"{name}.{unit}", value, last) for unit, value in vars(cost).items())


def _files(one: Individual) -> dict[str, str]:
    genome, outcome = one.birth.genome, json.dumps(one.outcome.to_json())
    return {
        GENOME_FILE: json.dumps(genome.to_json(), indent=1),
        **({OUTCOME_FILE: outcome} if len(outcome) > LONGEST_VALUE else {}),
        **{_file(name): svg(graph) for name, graph in genome.architecture.items()},
    }


def _file(network: str) -> str:
    """Return the name of a drawing's file, which no network's name leads out of its folder."""
    return f"{_NO_FILE_NAME.sub('_', network)[:100]}.svg"
