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
_LETTERS = 21
"""That fit in a box."""


@final
@dataclass
class _Bundle:
    """All losses from one box to another, or the inputs of an aggregator.

    Attributes:
        labels: Names of the losses.
        told: The losses in words.
        is_dead: Whether none of them teaches anything.
    """

    labels: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    is_dead: bool = True


Pair = tuple[str, str]
Place = tuple[float, float]


def cohort_picture(cohort: Cohort, dead: Collection[str] = ()) -> Markup:
    """Draw a cohort.

    Args:
        cohort: What to draw.
        dead: Names of the edges that teach nothing.
    """
    bundles = _bundles(cohort, dead)
    places = _places(cohort, bundles)
    lines = [
        _line(places[start], places[end], bundle, (end, start) in bundles)
        for (start, end), bundle in bundles.items()
    ]
    boxes = [_box(name, cohort, place) for name, place in places.items()]
    width = max(x for x, _ in places.values()) + _WIDTH / 2 + _MARGIN
    bottom = max(y for _, y in places.values()) + _HEIGHT / 2 + _MARGIN
    above, below = _arcs(places, bundles)
    height = above + bottom + below
    size = {"width": width, "height": height, "viewBox": f"0 {-above:g} {width:g} {height:g}"}
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
            bundle.labels += [edge.loss["name"]] if pair == (source, to) else []
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
            _MARGIN + _WIDTH / 2 + columns[name] * (_WIDTH + _GAP_X),
            _MARGIN + _HEIGHT / 2 + at * (_HEIGHT + _GAP_Y),
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


def _line(start: Place, end: Place, bundle: _Bundle, two_ways: bool) -> Markup:
    """Draw an arrow between rows, or below a row and back above it, with its losses beside it."""
    (x1, y1), (x2, y2) = start, end
    down = 1 if y2 > y1 or (y1 == y2 and x1 < x2) else -1
    shift = _SIDE * down if two_ways else 0
    if y1 == y2:
        y1, y2 = y1 + down * _HEIGHT / 2, y2 + down * (_HEIGHT / 2 + _HEAD)
        x1, x2 = x1 + shift, x2 - shift
        reach1 = reach2 = down * _GAP_Y * 0.6
    else:
        y1, y2 = y1 + down * _HEIGHT / 2, y2 - down * (_HEIGHT / 2 + _HEAD)
        x1, x2 = x1 + shift, x2 + shift
        reach1, reach2 = (y2 - y1) / 2, (y1 - y2) / 2
    bow = _WIDTH * 0.8 if x1 == x2 and abs(y2 - y1) > _HEIGHT + _GAP_Y else 0.0
    path = f"M{x1:g} {y1:g}C{x1 + bow:g} {y1 + reach1:g} {x2 + bow:g} {y2 + reach2:g} {x2:g} {y2:g}"
    middle = (x1 + x2) / 2 + 0.75 * bow, (y1 + y2) / 2 + 0.375 * (reach1 + reach2)
    points_down = (y2 < end[1]) if start[1] != end[1] else down < 0
    return tag(
        "g",
        tag("title", "\n".join(bundle.told)),
        tag("path", class_="line", d=path),
        tag("path", class_="head", d=_head((x2, y2), 1 if points_down else -1)),
        *_labels(bundle.labels, middle),
        class_="edge dead" if bundle.is_dead else "edge",
    )


def _head(place: Place, direction: int) -> str:
    x, y = place
    tip = y + direction * _HEAD
    return f"M{x - _HEAD / 2:g} {y:g}L{x + _HEAD / 2:g} {y:g}L{x:g} {tip:g}Z"


def _labels(names: Sequence[str], middle: Place) -> list[Markup]:
    """Write the losses of a bundle, one a line; what occurs several times with its number."""
    texts = [
        name if (times := names.count(name)) == 1 else f"{times} x {name}"
        for name in dict.fromkeys(names)
    ]
    x, y = middle
    top = y + 4 - 6.5 * (len(texts) - 1)
    return [
        tag("text", text, class_="loss", x=x, y=top + 13 * line) for line, text in enumerate(texts)
    ]


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


def _arcs(places: Mapping[str, Place], bundles: Mapping[Pair, _Bundle]) -> tuple[float, float]:
    """Return the room that arcs above the first row and below the last one take."""
    heights = [y for _, y in places.values()]
    arcs = [
        (places[start], places[end]) for start, end in bundles if places[start][1] == places[end][1]
    ]
    above = any(end < start and start[1] == min(heights) for start, end in arcs)
    below = any(start < end and start[1] == max(heights) for start, end in arcs)
    return (_GAP_Y * 0.6 if above else 0.0), (_GAP_Y * 0.6 if below else 0.0)
