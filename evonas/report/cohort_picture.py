"""A cohort as inline SVG: whoever teaches stands above whoever learns.

Rows are the longest way from a network that learns from nobody. Networks that teach each other
stand in one row, below the aggregators that they share; losses without another network, such as
those against the labels, are written into the box of the one that learns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import networkx as nx

from evonas.genome.cohort import Cohort, split_end
from evonas.genome.past_cohort import edge_phrase
from evonas.report.markup import Markup, tag

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 132, 58, 44, 66, 12
_SIDE = 16
"""How far from the middle of a box lines start and end where they go both ways."""
_HEAD = 7
_ASIDE = 28
"""How far from boxes a line passes by; half the room of a label."""
_ARC = 44
_LETTERS = 21
"""That fit in a box."""


Pair = tuple[str, str]
Place = tuple[float, float]


@final
@dataclass
class _Bundle:
    """All losses from one box to another, or the inputs of an aggregator.

    Attributes:
        labels: Names of the losses, each with whether it is dead.
        told: The losses in words.
        is_dead: Whether none of them teaches anything.
    """

    labels: list[tuple[str, bool]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    is_dead: bool = True


@final
@dataclass(frozen=True)
class _Route:
    """The way of a line.

    Attributes:
        path: Of the line, as SVG.
        middle: Where its label stands.
        tip: Where its head begins.
        direction: Of the head: 1 is down, -1 is up.
    """

    path: str
    middle: Place
    tip: Place
    direction: int


def cohort_picture(cohort: Cohort, dead: Collection[str] = ()) -> Markup:
    """Draw a cohort.

    Args:
        cohort: What to draw.
        dead: Names of the edges that teach nothing.
    """
    bundles = _bundles(cohort, dead)
    places = _places(cohort, bundles)
    routes = {pair: _route(pair, places, is_double=pair[::-1] in bundles) for pair in bundles}
    lines = [_line(routes[pair], bundle) for pair, bundle in bundles.items()]
    boxes = [_box(name, cohort, place) for name, place in places.items()]
    across = [x + side for x, _ in places.values() for side in (-_WIDTH / 2, _WIDTH / 2)]
    across += [one.middle[0] + side for one in routes.values() for side in (-_ASIDE, _ASIDE)]
    down = [y + side for _, y in places.values() for side in (-_HEIGHT / 2, _HEIGHT / 2)]
    down += [one.middle[1] + side for one in routes.values() for side in (-_MARGIN, _MARGIN)]
    left, top = min(across) - _MARGIN, min(down) - _MARGIN
    width, height = max(across) + _MARGIN - left, max(down) + _MARGIN - top
    size = {"width": width, "height": height, "viewBox": f"{left:g} {top:g} {width:g} {height:g}"}
    return tag("svg", *lines, *boxes, class_="cohort", role="img", aria_label="cohort", **size)


def _bundles(cohort: Cohort, dead: Collection[str]) -> Mapping[Pair, _Bundle]:
    found: dict[Pair, _Bundle] = {}
    for name, aggregator in cohort.aggregators.items():
        for end in (*aggregator.inputs, *aggregator.queries):
            bundle = found.setdefault((split_end(end)[0], name), _Bundle(is_dead=False))
            bundle.told.append(f"{end} goes into {name}")
    for edge in cohort.edges:
        source, to = split_end(edge.source)[0], split_end(edge.to)[0]
        if not source or source == to:
            continue
        is_dead = edge.name in dead
        for pair in ((source, to), (to, source)) if edge.both else ((source, to),):
            bundle = found.setdefault(pair, _Bundle())
            bundle.labels.append((edge.loss["name"], is_dead))
            bundle.told.append(edge_phrase(edge) + (" (dead)" if is_dead else ""))
            bundle.is_dead = bundle.is_dead and is_dead
    return found


def _places(cohort: Cohort, bundles: Mapping[Pair, _Bundle]) -> Mapping[str, Place]:
    """Return the centre of every box, row by row."""
    rows = _rows(cohort, bundles)
    widest = max(map(len, rows))
    columns: dict[str, float] = {}
    for row in rows:
        wish = {
            name: [columns[start] for start, end in bundles if end == name and start in columns]
            for name in row
        }
        middle = (widest - 1) / 2
        row.sort(key=lambda name: sum(wish[name]) / len(wish[name]) if wish[name] else middle)
        columns |= {name: (widest - len(row)) / 2 + at for at, name in enumerate(row)}
    return {
        name: (
            columns[name] * (_WIDTH + _GAP_X),
            at * (_HEIGHT + _GAP_Y),
        )
        for at, row in enumerate(rows)
        for name in row
    }


def _rows(cohort: Cohort, bundles: Mapping[Pair, _Bundle]) -> Sequence[list[str]]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from([*cohort.nodes, *cohort.aggregators])
    graph.add_edges_from(bundles)
    whole = nx.condensation(graph)
    group: Mapping[str, int] = whole.graph["mapping"]
    depth: dict[int, int] = {}
    for one in nx.topological_sort(whole):
        depth[one] = 1 + max((depth[before] for before in whole.predecessors(one)), default=-1)
    rows: dict[tuple[int, bool], list[str]] = {}
    for name in graph:
        rows.setdefault((depth[group[name]], name in cohort.nodes), []).append(name)
    return [row for _, row in sorted(rows.items())]


def _route(pair: Pair, places: Mapping[str, Place], *, is_double: bool) -> _Route:
    """Lead a line from row to row, around what stands between, or along the side of one row."""
    (x1, y1), (x2, y2) = (places[name] for name in pair)
    if y1 == y2:
        return _along((x1, y1), (x2, y2))
    down = 1 if y2 > y1 else -1
    shift = _SIDE * down if is_double else 0
    x1, x2 = x1 + shift, x2 + shift
    between = [x for x, y in places.values() if min(y1, y2) < y < max(y1, y2)]
    y1, y2 = y1 + down * _HEIGHT / 2, y2 - down * (_HEIGHT / 2 + _HEAD)
    turn, middle = (x1 + x2) / 2, (y1 + y2) / 2
    if between:
        sides = min(between) - _WIDTH / 2 - _ASIDE, max(between) + _WIDTH / 2 + _ASIDE
        turn = min(sides, key=lambda side: abs(side - turn))
        quarter = (y2 - y1) / 4
        path = (
            f"M{x1:g} {y1:g}C{x1:g} {y1 + quarter:g} {turn:g} {y1 + quarter:g} {turn:g} {middle:g}"
            f"S{x2:g} {y2 - quarter:g} {x2:g} {y2:g}"
        )
    else:
        path = f"M{x1:g} {y1:g}C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}"
    return _Route(path, (turn, middle), (x2, y2), down)


def _along(start: Place, end: Place) -> _Route:
    """Lead a line to the right below the boxes of a row, and one to the left above them."""
    (x1, y1), (x2, _) = start, end
    down = 1 if x1 < x2 else -1
    y2 = y1 + down * (_HEIGHT / 2 + _HEAD)
    reach = down * _ARC * (abs(x2 - x1) / (_WIDTH + _GAP_X)) ** 0.75
    y1, far = y1 + down * _HEIGHT / 2, y2 + reach
    path = f"M{x1:g} {y1:g}C{x1:g} {far:g} {x2:g} {far:g} {x2:g} {y2:g}"
    return _Route(path, ((x1 + x2) / 2, y2 + 0.72 * reach), (x2, y2), -down)


def _line(route: _Route, bundle: _Bundle) -> Markup:
    """Draw an arrow with its losses."""
    kinds = ["edge", *(["dead"] if bundle.is_dead else []), *([] if bundle.labels else ["input"])]
    return tag(
        "g",
        tag("title", "\n".join(bundle.told)),
        tag("path", class_="line", d=route.path),
        tag("path", class_="head", d=_head(route.tip, route.direction)),
        *_labels(bundle.labels, route.middle),
        class_=" ".join(kinds),
    )


def _head(place: Place, direction: int) -> str:
    x, y = place
    tip = y + direction * _HEAD
    return f"M{x - _HEAD / 2:g} {y:g}L{x + _HEAD / 2:g} {y:g}L{x:g} {tip:g}Z"


def _labels(labels: Sequence[tuple[str, bool]], middle: Place) -> list[Markup]:
    """Write the losses of a bundle, one a line; what occurs several times with its number."""
    x, y = middle
    distinct = list(dict.fromkeys(labels))
    top = y + 4 - 6.5 * (len(distinct) - 1)
    found: list[Markup] = []
    for line, (name, is_dead) in enumerate(distinct):
        times = labels.count((name, is_dead))
        text = name if times == 1 else f"{times} x {name}"
        kind = "loss dead" if is_dead else "loss"
        found.append(tag("text", text, class_=kind, x=x, y=top + 13 * line))
    return found


def _box(name: str, cohort: Cohort, place: Place) -> Markup:
    x, y = place
    if name in cohort.aggregators:
        kind, about = "aggregator", str(cohort.aggregators[name].rule["name"])
    else:
        node = cohort.nodes[name]
        kind = node.kind
        about = f"{kind} of {node.of}" if node.of else node.role or kind
        about = about if about != name else kind
    own = ", ".join(
        str(edge.loss["name"])
        for edge in cohort.edges
        if split_end(edge.to)[0] == name and split_end(edge.source)[0] in {"", name}
    )
    lines = [("name", name), ("about", about), *([("own", own)] if own else [])]
    top = y + 4 - 7.5 * (len(lines) - 1)
    return tag(
        "g",
        tag("title", " - ".join(text for _, text in lines)),
        tag(
            "rect", x=x - _WIDTH / 2, y=y - _HEIGHT / 2, width=_WIDTH, height=_HEIGHT,
            rx=_HEIGHT / 2 if kind == "aggregator" else 8,
        ),
        *(
            tag("text", _cut(text), class_=kind_of, x=x, y=top + 15 * at)
            for at, (kind_of, text) in enumerate(lines)
        ),
        class_=f"box {kind}",
    )  # fmt: skip


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}\u2026"
