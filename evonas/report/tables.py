"""The tables of the HTML report."""

from collections.abc import Iterable, Mapping, Sequence

from evonas.history import Evaluation, Failure, Individual, Objective
from evonas.report.cohorts import learns_with
from evonas.report.facts import Operator
from evonas.report.failed import batches
from evonas.report.markup import Markup, tag
from evonas.report.numbers import short
from evonas.report.prunings import pruned_by

_NONE = "\u2013"


def front_table(members: Sequence[Individual], objectives: Sequence[Objective]) -> Markup:
    """Return one row a member: number, origin, objectives, size, edits, and what is told of it."""
    names = [objective.name for objective in objectives]
    sizes = [name for name in ("parameters", "macs") if name not in names]
    told = {
        "pruned by": [pruned_by(one) for one in members],
        "learns with": [learns_with(one) for one in members],
        "batches": [batches(one.outcome) for one in members],
        "settings": [settings(one.birth.genome.settings) for one in members],
    }
    texts = {name: column for name, column in told.items() if name == "settings" or any(column)}
    head = ["#", "operator", "parents", *names, *sizes, "edits", *texts]
    rows = [
        [
            f"#{one.number}",
            one.birth.operator,
            parents(one),
            *(metric(one, name) for name in [*names, *sizes]),
            str(len(one.birth.genome.edits)),
            *(column[row] or _NONE for column in texts.values()),
        ]
        for row, one in enumerate(members)
    ]
    left = {1, 2, *range(len(head) - len(texts), len(head))}
    return table(head, rows, left=left, numbers=[one.number for one in members])


def operator_table(rows: Sequence[Operator], objective: Objective) -> Markup:
    """Return what became of every operator's births."""
    head = ["operator", "births", "failed", "better than parent", "mean gain", "mean credit"]
    largest = max((abs(row.gain) for row in rows if row.gain is not None), default=0.0)
    cells = [
        [
            row.name,
            str(row.births),
            str(row.failures),
            f"{row.successes} of {row.compared}" if row.compared else _NONE,
            _bar(row.gain, largest),
            _NONE if row.credit is None else f"{row.credit:+.4g}",
            str(row.on_front),
        ]
        for row in rows
    ]
    note = tag(
        "p",
        f"Gain: {objective.name} of the first parent against the child's, positive where the child "
        "is better. Credit: the same against a control child, an unedited clone of the parent that "
        "was trained as long.",
        class_="note",
    )
    return tag("div", table([*head, "on the front"], cells, left={0}), note)


def failure_table(failed: Iterable[tuple[Individual, Failure]]) -> Markup:
    """Return what went wrong, with tracebacks to unfold."""
    rows = [
        [f"#{one.number}", one.birth.operator, failure.kind, _message(failure)]
        for one, failure in failed
    ]
    return table(["#", "operator", "kind", "what happened"], rows, left={1, 2, 3})


def test_table(results: Mapping[str, Mapping[str, float]]) -> Markup:
    """Return the results on the test data, one row an arm."""
    names = list(dict.fromkeys(name for metrics in results.values() for name in metrics))
    rows = [
        [arm, *(short(metrics[name]) if name in metrics else _NONE for name in names)]
        for arm, metrics in results.items()
    ]
    return table(["weights", *names], rows, left={0})


def parents(individual: Individual) -> str:
    """Return the numbers of an individual's parents as text."""
    return ", ".join(f"#{number}" for number in individual.birth.parents) or _NONE


def metric(individual: Individual, name: str) -> str:
    """Return a metric as text, or a dash."""
    outcome = individual.outcome
    if not isinstance(outcome, Evaluation) or name not in outcome.metrics:
        return _NONE
    return short(outcome.metrics[name])


def settings(values: Mapping[str, object]) -> str:
    """Return settings genes as `name value`, numbers short."""
    return (
        ", ".join(
            f"{name} {short(value) if isinstance(value, int | float) else value}"
            for name, value in values.items()
        )
        or _NONE
    )


def _bar(value: float | None, largest: float) -> str:
    """Return a number with a bar that grows to the right where it is a gain."""
    if value is None:
        return _NONE
    share = 100 * abs(value) / largest if largest else 0.0
    side = "gain" if value > 0 else "loss"
    bar = tag("span", class_=f"bar {side}", style=f"width:{share / 2:.1f}%")
    return tag(
        "span", tag("span", bar, class_="bars"), tag("span", f"{value:+.4g}"), class_="with-bar"
    )


def _message(failure: Failure) -> Markup:
    if not failure.traceback:
        return tag("span", failure.message)
    return tag("details", tag("summary", failure.message), tag("pre", failure.traceback))


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: set[int],
    numbers: Sequence[int] | None = None,
) -> Markup:
    """Return a table; columns in `left` hold text, the others numbers."""
    sides = ["left" if column in left else "right" for column in range(len(head))]
    titles = [
        tag("th", name, class_=side, scope="col") for name, side in zip(head, sides, strict=True)
    ]
    body = [
        tag(
            "tr",
            *(tag("td", cell, class_=side) for cell, side in zip(row, sides, strict=True)),
            **({"data_number": numbers[place]} if numbers else {}),
        )
        for place, row in enumerate(rows)
    ]
    whole = tag("table", tag("thead", tag("tr", *titles)), tag("tbody", *body))
    return tag("div", whole, class_="scroll")
