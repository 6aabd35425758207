"""Tables and lines about a search for the terminal."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Protocol

from rich import box
from rich.table import Table
from rich.text import Text

from evonas.genome.past_cohort import PastCohort
from evonas.genome.past_pruning import PastPruning
from evonas.history import Cost, Evaluation, Individual, Objective
from evonas.report.failed import batches, kinds, num_failed
from evonas.report.numbers import duration, short
from evonas.report.printable import printable


class Shown(Protocol):
    """Whatever stands for an individual."""

    @property
    def individual(self) -> Individual:
        """The individual."""
        ...


def front_table(
    members: Sequence[Shown], objectives: Sequence[Objective], genes: Container[str]
) -> Table:
    """Return one row a member: number, origin, objectives, sizes, and what is told of it.

    Pruning, cohort, batches in parts and settings of `genes` have a column only if some member has
    any.
    """
    names = [objective.name for objective in objectives]
    sizes = [name for name in ("parameters", "macs") if name not in names]
    texts = _texts([member.individual for member in members], genes)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("#", justify="right", style="bold", no_wrap=True)
    table.add_column("operator", no_wrap=True)
    table.add_column("parents")
    for name in names:
        table.add_column(name, justify="right", style="cyan", no_wrap=True)
    for name in (*sizes, "edits"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in texts:
        table.add_column(name, overflow="fold", no_wrap=name == "pruned by")
    for row, member in enumerate(members):
        one = member.individual
        cells = [
            str(one.number),
            one.birth.operator,
            ", ".join(map(str, one.birth.parents)),
            *(metric(one, name) for name in [*names, *sizes]),
            str(len(one.birth.genome.edits)),
            *(column[row] or "-" for column in texts.values()),
        ]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def finished_line(individual: Individual, objectives: Sequence[Objective], done: str) -> str:
    """Return one line about a finished individual; `done` says how many there are by now."""
    outcome = individual.outcome
    start = f"[{done}] #{individual.number} {origin(individual)}"
    if not isinstance(outcome, Evaluation):
        return f"{start}: failed ({outcome.kind}): {outcome.message}"
    values = ", ".join(f"{one.name} {metric(individual, one.name)}" for one in objectives)
    halved = f", batches {parts}" if (parts := batches(outcome)) else ""
    same = f", same as #{outcome.same_as}" if outcome.same_as is not None else ""
    return f"{start}: {values}{halved}{same}{', stopped early' if outcome.stopped else ''}"


def origin(individual: Individual) -> str:
    """Return where an individual comes from in a few words."""
    birth = individual.birth
    parents = ", ".join(f"#{number}" for number in birth.parents)
    return f"{birth.operator} of {parents}" if parents else birth.operator


def metric(individual: Individual, name: str) -> str:
    """Return a metric as text, or a dash."""
    outcome = individual.outcome
    if not isinstance(outcome, Evaluation) or name not in outcome.metrics:
        return "-"
    return short(outcome.metrics[name])


def closing_line(individuals: Iterable[Individual]) -> str:
    """Return in one line what a search has done."""
    made = list(individuals)
    failed = num_failed(kinds(one.outcome for one in made))
    costs: list[Cost] = [one.outcome.cost for one in made]
    macs, seconds = sum(cost.macs for cost in costs), sum(cost.seconds for cost in costs)
    return (
        f"{len(made)} births, {failed}; {short(macs, 'MAC')} of training in "
        f"{duration(seconds)} of worker time"
    )


def _texts(individuals: Sequence[Individual], genes: Container[str]) -> Mapping[str, Sequence[str]]:
    """Return the columns of text of which any row has something to say."""
    prunings = [PastPruning.of(one.birth.genome) for one in individuals]
    cohorts = [PastCohort.of(one.birth.genome) for one in individuals]
    columns = {
        "pruned by": [pruning.brief if pruning else "" for pruning in prunings],
        "learns with": [cohort.brief if cohort else "" for cohort in cohorts],
        "batches": [batches(one.outcome) for one in individuals],
        "settings": [_settings(one, genes) for one in individuals],
    }
    return {name: column for name, column in columns.items() if any(column)}


def _settings(individual: Individual, genes: Container[str]) -> str:
    """Return the settings genes by the last word of their paths, as the terminal is narrow."""
    return ", ".join(
        f"{path.rpartition('.')[2]} {short(value) if isinstance(value, int | float) else value}"
        for path, value in individual.birth.genome.settings.items()
        if path in genes
    )
