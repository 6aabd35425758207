"""The whole search as one HTML file that loads nothing from anywhere."""

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from evonas import drawing
from evonas.history import Evaluation, History, Individual, Limit, Objective
from evonas.lineage import edit_name, family_tree
from evonas.report import facts, tables
from evonas.report.ancestry import ancestry
from evonas.report.cohort_section import cohorts
from evonas.report.failed import kinds, num_failed
from evonas.report.markup import Markup, join, tag
from evonas.report.numbers import duration, short
from evonas.report.picture_section import Shown, pictures
from evonas.report.plots import Dot, scatter, steps
from evonas.report.pruning_section import pruning

Results = Mapping[str, Mapping[str, float]]


def html(  # noqa: PLR0913 - a search, and what is known of it beside
    history: History,
    objectives: Sequence[Objective],
    name: str,
    config: Mapping[str, Any],
    final: Results | None = None,
    *,
    limits: Sequence[Limit] = (),
    shown: Shown | None = None,
) -> str:
    """Return the report of a search, finished or not.

    Args:
        history: What has been found.
        objectives: Of the search, at least one.
        name: Of the search.
        config: The resolved run file.
        final: Metrics on the test data by arm (`inherited`, `from scratch`), if there are any.
        limits: Who breaks one does not belong to the front.
        shown: Pictures of what the best one does.
    """
    members = facts.best_first(history, objectives, limits) if history.evaluated() else []
    sections = [
        _summary(history, objectives, members),
        *_pictures(members, shown or {}),
        *_results(history, objectives, limits, members, final or {}),
        _failures(history),
        _configuration(config),
    ]
    script = _file("page.js")
    body = tag(
        "body",
        tag("main", _header(name, objectives), *sections),
        tag("div", id="tip", role="status"),
        tag("script", script),
    )
    head = _head(name, script, with_pictures=bool(shown))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _head(name: str, script: str, *, with_pictures: bool) -> Markup:
    """Return the head, by which the page runs no other script than this and loads nothing."""
    known = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{known}'"
    if with_pictures:
        policy += "; img-src data:"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{name} \u2013 evonas"),
        tag("style", _file("page.css")),
    )


def _file(name: str) -> Markup:
    return Markup(files("evonas.report").joinpath(name).read_text("utf-8"))


def _header(name: str, objectives: Sequence[Objective]) -> Markup:
    asked = ", ".join(f"{one.name} \u2192 {one.direction}" for one in objectives)
    return tag(
        "header",
        tag("p", "evonas search report", class_="kicker"),
        tag("h1", name),
        tag("p", asked, class_="asked"),
    )


def _pictures(members: Sequence[Individual], shown: Shown) -> list[Markup]:
    """Return the section of what the best one does, if there is anything to show."""
    drawn = pictures(shown) if members else None
    return [_section(f"What #{members[0].number} does", drawn)] if drawn else []


def _results(
    history: History,
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
    members: Sequence[Individual],
    final: Results,
) -> list[Markup]:
    """Return the sections that need at least one evaluated candidate."""
    if not members:
        return [_section("Front", tag("p", "Nothing has been evaluated yet.", class_="note"))]
    pruned = pruning(history, members, lambda one: _tip(one, objectives))
    learnt = cohorts(members)
    return [
        _section("Front", _front(history, objectives, members)),
        *([_section("On the test data", tables.test_table(final))] if final else []),
        *([_section("Pruning", pruned)] if pruned else []),
        *([_section("Cohorts", learnt)] if learnt else []),
        _section("Progress", _progress(history, objectives, limits)),
        _section("Lineage of the front", _lineage(history, objectives, members)),
        _section(
            "Operators",
            tables.operator_table(facts.operators(history, objectives, members), objectives[0]),
        ),
        _section(f"Architecture of #{members[0].number}", _architecture(members[0], history[0])),
    ]


def _section(title: str, *content: Markup) -> Markup:
    return tag("section", tag("h2", title), *content)


def _summary(
    history: History, objectives: Sequence[Objective], members: Sequence[Individual]
) -> Markup:
    cost, failed = facts.total_cost(history), num_failed(kinds(one.outcome for one in history))
    tiles = [
        ("births", str(len(history)), failed),
        ("on the front", str(len(members)), f"of {len(history.evaluated())} evaluated"),
    ]
    for objective in objectives if members else ():
        best = min(members, key=lambda one: facts.loss(one, objective))
        tiles.append(
            (f"best {objective.name}", tables.metric(best, objective.name), f"#{best.number}")
        )
    tiles += [
        ("training", short(cost.macs, "MAC"), f"{short(cost.samples)} samples"),
        ("worker time", duration(cost.seconds), "CPU"),
    ]
    return tag(
        "dl",
        *(
            tag("div", tag("dt", title), tag("dd", value), tag("dd", note, class_="note"))
            for title, value, note in tiles
        ),
        class_="tiles",
    )


def _front(
    history: History, objectives: Sequence[Objective], members: Sequence[Individual]
) -> Markup:
    first, *others = [objective.name for objective in objectives]
    pairs = others or [name for name in ("macs",) if name in _metrics(members[0])]
    numbers = {one.number for one in members}
    charts: list[Markup] = []
    for name in pairs:
        dots = [
            Dot(one.number, x, y, _tip(one, objectives), one.number in numbers)
            for one, evaluation in history.evaluated()
            if math.isfinite(x := evaluation.metrics[name])
            and math.isfinite(y := evaluation.metrics[first])
        ]
        line = sorted((dot for dot in dots if dot.is_front), key=lambda dot: dot.x)
        charts.append(scatter(dots, name, first, line if len(objectives) == 2 else ()))
    legend = tag(
        "p",
        *(tag("span", tag("i", class_=kind), text) for kind, text in _LEGEND),
        class_="legend",
    )
    return join(
        tag("div", *charts, class_="charts" if len(charts) > 1 else "charts single"),
        *([legend] if charts else []),
        tables.front_table(members, objectives),
    )


_LEGEND = (("front", "front: nothing beats it in every objective"), ("dot", "other candidates"))


def _progress(history: History, objectives: Sequence[Objective], limits: Sequence[Limit]) -> Markup:
    first = objectives[0]
    charts = [
        tag("figure", tag("figcaption", title), steps(points, label))
        for title, label, points in (
            (f"Best {first.name} so far", first.name, facts.best_so_far(history, first, limits)),
            ("Hypervolume of the front", "hypervolume", facts.volumes(history, objectives, limits)),
        )
    ]
    note = tag(
        "p",
        "Hypervolume: the share of the box between the best and the worst value of each objective "
        "that the front dominates.",
        class_="note",
    )
    return join(tag("div", *charts, class_="charts"), note)


def _lineage(
    history: History, objectives: Sequence[Objective], members: Sequence[Individual]
) -> Markup:
    numbers = {one.number for one in members}
    tree = family_tree(history, objectives, numbers)

    def tip(number: int) -> str:
        edits: list[str] = tree.nodes[number]["edits"]
        return "\n".join([_tip(history.member(number), objectives), *edits])

    drawn = tag("div", ancestry(tree, numbers, tip), class_="scroll")
    note = (
        "Full lines: weights are inherited. Dashed lines: edits or pruning genes of another parent."
    )
    return join(drawn, tag("p", note, class_="note"))


def _architecture(best: Individual, seed: Individual) -> Markup:
    genome = best.birth.genome
    if not genome.architecture:
        return tag("p", "This search space has models that are no layer graphs.", class_="note")
    pictures = [
        tag("figure", tag("figcaption", name), Markup(drawing.svg(graph)))
        for name, graph in genome.architecture.items()
    ]
    edits = [tag("li", edit_name(edit, genome, seed.birth.genome)) for edit in genome.edits]
    steps_taken = tag("div", tag("h3", "Edits from the seed on"), tag("ol", *edits))
    return tag(
        "div",
        tag("div", *pictures, class_="networks"),
        *([steps_taken] if edits else []),
        class_="architecture",
    )


def _failures(history: History) -> Markup:
    failed = facts.failures(history)
    summary = tag("p", num_failed(kinds(one for _, one in failed)), class_="note")
    return _section("Failures", summary, *([tables.failure_table(failed)] if failed else []))


def _configuration(config: Mapping[str, Any]) -> Markup:
    text = json.dumps(config, indent=2, default=str)
    return _section("Run file", tag("details", tag("summary", "as resolved"), tag("pre", text)))


def _tip(one: Individual, objectives: Sequence[Objective]) -> str:
    values = [f"{objective.name} {tables.metric(one, objective.name)}" for objective in objectives]
    origin = f"of {tables.parents(one)}" if one.birth.parents else ""
    return "\n".join([f"#{one.number} {one.birth.operator} {origin}".rstrip(), *values])


def _metrics(one: Individual) -> Mapping[str, float]:
    assert isinstance(one.outcome, Evaluation)
    return one.outcome.metrics
