"""The family tree as a picture: generations from left to right, lines of weights, donors dashed."""

import io
import math
from pathlib import Path

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evonas.lineage import DONOR, WEIGHTS
from evonas.report.family_tree import founders, heirs
from evonas.store.files import write

Places = dict[int, tuple[float, float]]


def to_png(tree: "nx.DiGraph[int]", path: Path) -> None:
    """Draw the tree; colour is the first objective, a cross has none, a ring marks the front."""
    places = _places(tree)
    depth = max((x for x, _ in places.values()), default=0.0)
    leaves = max((y for _, y in places.values()), default=0.0)
    figure = Figure(figsize=(max(6.0, depth + 2.0), max(3.0, 0.25 * leaves + 1.5)), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for role, style in ((WEIGHTS, "solid"), (DONOR, "dashed")):
        edges = [(a, b) for a, b, of in tree.edges(data="role") if of == role]
        segments = [(places[parent], places[child]) for parent, child in edges]
        axes.add_collection(
            LineCollection(segments, colors="0.7", linestyles=style, linewidths=0.8, zorder=1)
        )
    _individuals(tree, places, figure, axes)
    axes.set_xlabel("generation")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.invert_yaxis()
    axes.set_yticks([])
    axes.margins(x=0.08, y=1.0 / (leaves + 2.0))
    axes.spines[["left", "right", "top"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", bbox_inches="tight")
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, picture.getvalue())


def _places(tree: "nx.DiGraph[int]") -> Places:
    """Put every leaf on a row of its own and every parent in the middle of its children."""
    places: Places = {}
    row = 0
    order: list[int] = []
    pending = founders(tree)[::-1]
    while pending:
        number = pending.pop()
        order.append(number)
        pending.extend(reversed(heirs(tree, number)))
    for number in order:
        if not heirs(tree, number):
            places[number] = (float(tree.nodes[number]["generation"]), float(row))
            row += 1
    for number in reversed(order):
        if children := heirs(tree, number):
            middle = sum(places[child][1] for child in children) / len(children)
            places[number] = (float(tree.nodes[number]["generation"]), middle)
    return places


def _individuals(tree: "nx.DiGraph[int]", places: Places, figure: Figure, axes: Axes) -> None:
    objective = next(iter(tree.graph["objectives"]), "")
    values = {
        number: metrics[objective]
        for number, metrics in tree.nodes(data="metrics")
        if math.isfinite(metrics.get(objective, math.nan))
    }
    rest = [number for number in tree if number not in values]
    front = [number for number, member in tree.nodes(data="front") if member]
    if values:
        x, y = zip(*(places[number] for number in values), strict=True)
        dots = axes.scatter(x, y, c=list(values.values()), s=45, cmap="viridis", zorder=2)
        length = min(0.8, 3.0 / figure.get_figheight())
        figure.colorbar(dots, ax=axes, label=objective, shrink=length, anchor=(0.0, 1.0), aspect=15)
    if rest:
        x, y = zip(*(places[number] for number in rest), strict=True)
        axes.scatter(x, y, c="0.4", marker="x", s=30, zorder=2)
    if front:
        x, y = zip(*(places[number] for number in front), strict=True)
        axes.scatter(x, y, s=120, facecolors="none", edgecolors="crimson", zorder=3)
    for number, place in places.items():
        axes.annotate(str(number), place, (7, -2), textcoords="offset points", fontsize=6)
