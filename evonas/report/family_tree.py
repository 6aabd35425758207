"""The family tree as text: rows for a terminal, GraphML for other programs."""

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from evonas.lineage import DONOR, WEIGHTS
from evonas.report.printable import printable
from evonas.store.files import write


def tree_text(tree: "nx.DiGraph[int]") -> str:
    """Return the tree as lines, one an individual, a child below the one whose weights it has.

    The columns stand left of the branches, so that they line up at any depth. Members of the front
    begin with `*`; credit is what the edits earned against a control child, more is better.
    """
    objectives: list[str] = tree.graph["objectives"]
    head = ["", "#", *objectives, "credit"]
    rows = [(_columns(tree, number, objectives), text) for number, text in _branches(tree)]
    cells = [head, *(columns for columns, _ in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    texts = ["lineage", *(text for _, text in rows)]
    lines = (
        " ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + "  " + text
        for row, text in zip(cells, texts, strict=True)
    )
    return "\n".join(printable(line.rstrip()) for line in lines)


def to_graphml(tree: "nx.DiGraph[int]", path: Path) -> None:
    """Write the tree for Gephi, yEd, Cytoscape and others; lists are joined, metrics spread."""
    flat: nx.DiGraph[int] = nx.DiGraph(objectives=", ".join(tree.graph["objectives"]))
    for number, facts in tree.nodes(data=True):
        flat.add_node(number, **_scalars(facts))
    for parent, child, facts in tree.edges(data=True):
        flat.add_edge(parent, child, **_scalars(facts))
    text = io.BytesIO()
    nx.write_graphml(flat, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, text.getvalue())


def heirs(tree: "nx.DiGraph[int]", number: int) -> list[int]:
    """Return the children that continue an individual's weights, in birth order."""
    edges = tree.out_edges(number, data="role")
    return sorted(child for _, child, role in edges if role == WEIGHTS)


def founders(tree: "nx.DiGraph[int]") -> list[int]:
    """Return the individuals that continue nobody's weights."""
    return sorted(number for number, degree in tree.in_degree() if degree == 0)


def _branches(tree: "nx.DiGraph[int]") -> Iterator[tuple[int, str]]:
    """Walk the tree depth first; an only child stands right below its parent, not further in."""
    pending = [(number, "", "", "") for number in reversed(founders(tree))]
    while pending:
        number, fork, indent, below = pending.pop()
        yield number, indent + fork + _label(tree, number)
        children = heirs(tree, number)
        inner = indent + below
        if len(children) == 1:
            pending.append((children[0], "", inner, ""))
            continue
        forks = [("|- ", "|  ")] * (len(children) - 1) + [("`- ", "   ")]
        pending.extend(
            (child, fork, inner, below)
            for child, (fork, below) in reversed(list(zip(children, forks, strict=False)))
        )


def _columns(tree: "nx.DiGraph[int]", number: int, objectives: list[str]) -> list[str]:
    facts = tree.nodes[number]
    earned = [data["credit"] for _, _, data in tree.in_edges(number, data=True) if "credit" in data]
    values = [facts["metrics"].get(name) for name in objectives]
    return [
        "*" if facts["front"] else "",
        str(number),
        *("-" if value is None else f"{value:.4g}" for value in values),
        *([f"{credit:+.4f}" for credit in earned] or [""]),
    ]


def _label(tree: "nx.DiGraph[int]", number: int) -> str:
    facts = tree.nodes[number]
    donors = sorted(parent for parent, _, role in tree.in_edges(number, "role") if role == DONOR)
    edits = readable(", ".join(facts["edits"])) or facts["operator"]
    if facts["pruned"] and donors:
        told = [f"{edits}, genes of {', '.join(map(str, donors))}"]
    elif donors:
        of = (f"of {donor}" for donor in donors)
        told = ["crossover", *of, f"({len(facts['edits'])} edits)"]
    else:
        told = [edits]
    return " ".join([*told, f"[{facts['failure']}]"] if facts["failure"] else told)


def readable(edits: str) -> str:
    """Cut the edit ids in layers' names, which tell nothing to a reader, to four digits."""
    return re.sub(r"_([0-9a-f]{4})[0-9a-f]{12}\b", r"_\1", edits)


def _scalars(facts: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    flat: dict[str, str | int | float | bool] = {}
    for name, value in facts.items():
        if name == "metrics":
            flat |= {f"metric.{metric}": float(number) for metric, number in value.items()}
        else:
            flat[name] = "; ".join(value) if isinstance(value, list) else value
    return flat
