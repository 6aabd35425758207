"""A layer graph as a small SVG picture: one box a layer, data from top to bottom.

A layer stands one row below the lowest layer it reads, and inside its row near the middle of what
it reads; that is enough for networks that a person looks at, and takes a millisecond.
"""

from collections.abc import Mapping
from xml.sax.saxutils import escape

from evonas.genome import LayerGraph, Node

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 132, 22, 16, 18, 12
_COLOURS = {
    "input": "#cfd8dc",
    "output": "#cfd8dc",
    "conv": "#bbdefb",
    "depthwise": "#bbdefb",
    "linear": "#c5cae9",
    "bn": "#f0f4c3",
    "act": "#ffe0b2",
    "maxpool": "#e1bee7",
    "avgpool": "#e1bee7",
    "gap": "#e1bee7",
    "add": "#c8e6c9",
    "concat": "#c8e6c9",
    "lerp": "#c8e6c9",
    "se": "#ffccbc",
}
_OTHER = "#eeeeee"


def svg(graph: LayerGraph) -> str:
    """Return the picture as SVG text, with every layer's name and settings as its tooltip."""
    rows = _rows(graph)
    columns = _columns(graph, rows)
    centre = {
        node_id: (
            _MARGIN + _WIDTH / 2 + column * (_WIDTH + _GAP_X),
            _MARGIN + _HEIGHT / 2 + rows[node_id] * (_HEIGHT + _GAP_Y),
        )
        for node_id, column in columns.items()
    }
    width = round(max(x for x, _ in centre.values()) + _WIDTH / 2 + _MARGIN)
    height = round(max(y for _, y in centre.values()) + _HEIGHT / 2 + _MARGIN)
    edges = [
        _edge(centre[source], centre[node.id], rows[node.id] - rows[source])
        for node in graph.nodes
        for source in node.inputs
    ]
    boxes = [_box(node, *centre[node.id]) for node in graph.nodes]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
    )
    return "\n".join([head, *edges, *boxes, "</svg>\n"])


def label(node: Node) -> str:
    """Return a layer in a few characters: `conv 3x3, 32`, `relu`, `linear 10`."""
    params = node.params
    if node.op == "act":
        return str(params["kind"])
    parts = [node.op]
    if "kernel" in params:
        parts.append("x".join(str(extent) for extent in params["kernel"]))
    text = " ".join(parts)
    if "out" in params:
        text += f"{',' if 'kernel' in params else ''} {params['out']}"
    if any(step != 1 for step in params.get("stride", ())):
        text += f" /{params['stride'][0]}"
    return text


def _rows(graph: LayerGraph) -> Mapping[str, int]:
    rows: dict[str, int] = {}
    for node in graph.nodes:
        rows[node.id] = 1 + max((rows[source] for source in node.inputs), default=-1)
    return rows


def _columns(graph: LayerGraph, rows: Mapping[str, int]) -> Mapping[str, float]:
    """Return every layer's place in its row, in box widths from the left."""
    inside: dict[int, list[Node]] = {}
    for node in graph.nodes:
        inside.setdefault(rows[node.id], []).append(node)
    widest = max(len(row) for row in inside.values())
    columns: dict[str, float] = {}
    for _, row in sorted(inside.items()):
        wish = {
            node.id: sum(columns[source] for source in node.inputs) / max(1, len(node.inputs))
            for node in row
        }
        start = (widest - len(row)) / 2
        for place, node in enumerate(sorted(row, key=lambda node: wish[node.id])):
            columns[node.id] = start + place
    return columns


def _edge(start: tuple[float, float], end: tuple[float, float], span: int) -> str:
    """Return a line between neighbouring rows, and a bow around the rows it passes by."""
    (x1, y1), (x2, y2) = start, end
    bow = _WIDTH * 0.75 if span > 1 and x1 == x2 else 0.0
    y1, y2 = y1 + _HEIGHT / 2, y2 - _HEIGHT / 2
    reach = (y2 - y1) / 2
    return (
        f'<path d="M{x1:g},{y1:g} C{x1 + bow:g},{y1 + reach:g} {x2 + bow:g},{y2 - reach:g}'
        f' {x2:g},{y2:g}" fill="none" stroke="#78909c"/>'
    )


def _box(node: Node, x: float, y: float) -> str:
    colour = _COLOURS.get(node.op, _OTHER)
    settings = ", ".join(f"{name}={value}" for name, value in node.params.items())
    return (
        f"<g><title>{escape(f'{node.id} ({settings})' if settings else node.id)}</title>"
        f'<rect x="{x - _WIDTH / 2:g}" y="{y - _HEIGHT / 2:g}" width="{_WIDTH}"'
        f' height="{_HEIGHT}" rx="4" fill="{colour}" stroke="#546e7a"/>'
        f'<text x="{x:g}" y="{y + 4:g}" text-anchor="middle">{escape(label(node))}</text></g>'
    )
