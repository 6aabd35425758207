"""The ancestry of the front as inline SVG: generations from left to right.

The first child line of every individual continues in its row, so that the way from the seed to a
member of the front is mostly a straight line; weights come along full edges, edits of a second
parent along dashed ones.
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import networkx as nx

from evonas.lineage import DONOR, WEIGHTS
from evonas.report.markup import Markup, tag

_COLUMN, _ROW, _BOX, _TALL, _MARGIN = 144, 50, 112, 34, 10
_LABEL = 17


def ancestry(
    tree: "nx.DiGraph[int]", members: Collection[int], tip: Callable[[int], str]
) -> Markup:
    """Draw the members and everything they descend from.

    Args:
        tree: As `evonas.lineage.family_tree` makes it.
        members: Numbers of the front.
        tip: The text for an individual that the pointer is on.
    """
    kept = set(members).union(*(nx.ancestors(tree, number) for number in members))
    family: nx.DiGraph[int] = nx.DiGraph(tree.subgraph(kept))
    places = _places(family)
    width = max((x for x, _ in places.values()), default=0) + _BOX + 2 * _MARGIN
    height = max((y for _, y in places.values()), default=0) + _TALL + 2 * _MARGIN
    edges = [
        _edge(places[parent], places[child], "donor" if role == DONOR else "weights")
        for parent, child, role in family.edges(data="role")
    ]
    boxes = [
        _box(number, family.nodes[number], places[number], tip(number), number in members)
        for number in sorted(family)
    ]
    size = {"width": width, "height": height, "viewBox": f"0 0 {width} {height}"}
    return tag("svg", *edges, *boxes, class_="ancestry", role="img", aria_label="ancestry", **size)


def _places(family: "nx.DiGraph[int]") -> Mapping[int, tuple[int, int]]:
    """Return the left upper corner of every individual's box."""
    depth: dict[int, int] = {}
    reach: dict[int, int] = {}
    for number in sorted(family):
        depth[number] = 1 + max(
            (depth[parent] for parent in family.predecessors(number)), default=-1
        )
    for number in sorted(family, reverse=True):
        reach[number] = max(
            (reach[child] for child in _heirs(family, number)), default=depth[number]
        )
    rows: dict[int, int] = {}
    taken: dict[int, list[range]] = {}
    for line in _lines(family, reach):
        columns = range(max(0, depth[line[0]] - 1), depth[line[-1]] + 1)
        row = next(row for row in itertools.count() if _is_free(taken.get(row, []), columns))
        taken.setdefault(row, []).append(columns)
        rows |= dict.fromkeys(line, row)
    return {
        number: (_MARGIN + depth[number] * _COLUMN, _MARGIN + row * _ROW)
        for number, row in rows.items()
    }


def _lines(family: "nx.DiGraph[int]", reach: Mapping[int, int]) -> Iterator[list[int]]:
    """Yield lines of weights, each from its first individual on along the longest branch."""
    heads = [
        number
        for number in sorted(family)
        if not any(role == WEIGHTS for _, _, role in family.in_edges(number, data="role"))
    ]
    while heads:
        line = [heads.pop(0)]
        while heirs := sorted(_heirs(family, line[-1]), key=lambda child: (-reach[child], child)):
            line.append(heirs[0])
            heads.extend(heirs[1:])
        yield line


def _is_free(taken: Sequence[range], columns: range) -> bool:
    return all(columns.stop <= other.start or other.stop <= columns.start for other in taken)


def _heirs(family: "nx.DiGraph[int]", number: int) -> list[int]:
    return [c for _, c, role in family.out_edges(number, data="role") if role == WEIGHTS]


def _edge(start: tuple[int, int], end: tuple[int, int], role: str) -> Markup:
    x1, y1 = start[0] + _BOX, start[1] + _TALL / 2
    x2, y2 = end[0], end[1] + _TALL / 2
    bend = _COLUMN - _BOX
    d = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
    return tag("path", class_=f"edge {role}", d=d)


def _box(
    number: int, facts: Mapping[str, str], place: tuple[int, int], tip: str, is_front: bool
) -> Markup:
    x, y = place
    name = facts["operator"]
    shown = name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}\u2026"
    return tag(
        "g",
        tag("rect", x=x, y=y, width=_BOX, height=_TALL, rx=8),
        tag("text", f"#{number}", class_="number", x=x + _BOX / 2, y=y + 14),
        tag("text", shown, class_="operator", x=x + _BOX / 2, y=y + 27),
        class_="birth front" if is_front else "birth",
        data_number=number,
        data_tip=tip,
    )
