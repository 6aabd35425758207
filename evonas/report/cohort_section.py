"""What the HTML report shows of cohorts: who teaches whom, and which edge teaches nothing."""

from collections.abc import Sequence

from evonas.genome.past_cohort import curve_phrase
from evonas.history import Individual
from evonas.report.cohort_picture import cohort_picture
from evonas.report.cohorts import Diagnosis, EdgeEnd, diagnosis
from evonas.report.markup import Markup, join, tag
from evonas.report.numbers import short
from evonas.report.plots import trace
from evonas.report.tables import table

_NONE = "\u2013"


def cohorts(members: Sequence[Individual]) -> Markup | None:
    """Return how the members of a front have learned together with others, if any have."""
    found = [one for member in members if (one := diagnosis(member)) is not None]
    if not found:
        return None
    told = [_details(one, is_open=at == 0) for at, one in enumerate(found)]
    note = tag(
        "p",
        "Arrows point at those who learn; a box names the losses that need no other network. "
        "Weight, loss and gradient norm are those of the last epoch in which an edge was active. "
        "An edge is dead if its weight is 0, or its gradient below a thousandth of the largest "
        "that arrives at the same network.",
        class_="note",
    )
    return tag("div", *told, note, class_="cohorts")


def _details(one: Diagnosis, *, is_open: bool) -> Markup:
    dead = f"{len(one.dead)} dead" if one.dead else ""
    head = tag(
        "summary",
        f"#{one.number} ",
        tag("span", one.text, class_="note"),
        *([" ", tag("span", dead, class_="dead-mark")] if dead else []),
    )
    picture = tag("figure", cohort_picture(one.cohort, one.dead), class_="scroll")
    seen = tag("div", picture, *_charts(one), class_="learning")
    shown = {"open": "open"} if is_open else {}
    return tag("details", head, seen, _edges(one.edges), **shown)


def _edges(ends: Sequence[EdgeEnd]) -> Markup:
    rows = [
        [
            _loss(end),
            end.edge.source or ("labels" if end.edge.loss["name"] == "task" else _NONE),
            end.edge.to,
            _weight(end),
            _number(end.loss),
            _number(end.gradient),
        ]
        for end in ends
    ]
    return table(["loss", "from", "to", "weight", "loss now", "gradient"], rows, left={0, 1, 2})


def _loss(end: EdgeEnd) -> Markup:
    fields = [f"{name} {value}" for name, value in end.edge.loss.items() if name != "name"]
    name = str(end.edge.loss["name"]) + (f" ({', '.join(fields)})" if fields else "")
    return join(name, *([" ", tag("span", "dead", class_="dead-mark")] if end.is_dead else []))


def _weight(end: EdgeEnd) -> str:
    """Return the weight at the end, and how it went there if it was not the same throughout."""
    course = end.edge.weight
    return _number(end.weight) + ("" if course.kind == "constant" else f", {curve_phrase(course)}")


def _charts(one: Diagnosis) -> list[Markup]:
    """Draw what is known over the epochs; one epoch alone is no curve."""
    series = {f"Entropy of {name}": points for name, points in one.entropies.items()}
    if one.diversity:
        series["Diversity of the cohort"] = one.diversity
    figures = [
        tag("figure", tag("figcaption", title), trace(points, "epoch", title.partition(" ")[0]))
        for title, points in series.items()
        if len(points) > 1
    ]
    return [tag("div", *figures, class_="charts")] if figures else []


def _number(value: float | None) -> str:
    return _NONE if value is None else short(value)
