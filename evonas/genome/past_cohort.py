"""Cohorts in words: what one is, and what an edit of its genes has changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Any, final

from evonas.genome.bilevel import Bilevel
from evonas.genome.cohort import (
    COHORT_GENES,
    Aggregator,
    Cohort,
    Edge,
    Node,
    NodeKind,
    Stage,
    split_end,
)
from evonas.genome.cohort_kinds import LOGITS
from evonas.genome.genome import Edit, Genome
from evonas.genome.schedule import Curve

Part = Node | Aggregator | Edge | Stage | Bilevel

_COUNTED: tuple[NodeKind, ...] = ("member", "snapshot", "view")
_LETTERS = 64
"""That the changes in an edit's phrase may take; the first is spelled out, however long."""


@final
@dataclass(frozen=True, kw_only=True)
class PastCohort:
    """The cohort of a genome, and what became of it since the search began.

    Attributes:
        cohort: As it is now.
        num_edits: How many edits of its genes are on record.
    """

    cohort: Cohort
    num_edits: int

    @classmethod
    def of(cls, genome: Genome) -> "PastCohort | None":
        """Read the cohort of a genome, if it has one."""
        cohort = Cohort.of(genome)
        return cohort and cls(cohort=cohort, num_edits=len(_cohort_edits(genome)))

    @property
    def brief(self) -> str:
        """The cohort for a narrow column: `kd, 3 edges, 1 member`."""
        return summary(self.cohort)

    @property
    def text(self) -> str:
        """The cohort and how far it came: `kd, 3 edges, 1 member; 2 edits`."""
        return self.brief + (f"; {_count(self.num_edits, 'edit')}" if self.num_edits else "")


def summary(cohort: Cohort) -> str:
    """Return a cohort in a few words; `own` stands for no published method."""
    kinds = [node.kind for node in cohort.nodes.values()]
    parts = [cohort.preset or "own", _count(len(cohort.edges), "edge")]
    parts += [_count(number, kind) for kind in _COUNTED if (number := kinds.count(kind))]
    return ", ".join(parts)


def told(edit: Edit, genome: Genome, origin: Genome | None = None) -> str:
    """Return an edit of cohort genes as a reader understands it.

    Args:
        edit: With the target `COHORT_GENES`.
        genome: One that has it on its record.
        origin: The genome with which the record begins, for the first of such edits.
    """
    after = Cohort.from_json(edit.args["genes"])
    earlier = [past.id for past in _cohort_edits(genome)].index(edit.id)
    before = _before(_cohort_edits(genome)[:earlier], origin)
    if before is None:
        return f"{edit.operator}: {summary(after)}"
    found = [*_growth(edit), *(_copied(change, edit) for change in changes(before, after))]
    return f"{edit.operator}: {_first(found)}" if found else edit.operator


def changes(before: Cohort, after: Cohort) -> list[str]:
    """Return what is new (`+`), gone (`-`) or different in a cohort, nodes first."""
    return [
        *_differences(before.nodes, after.nodes),
        *_differences(before.aggregators, after.aggregators),
        *_edge_differences(before, after),
        *_differences(
            {f"stage {stage.name}": stage for stage in before.stages},
            {f"stage {stage.name}": stage for stage in after.stages},
        ),
        *_differences(_block(before), _block(after)),
        *_changed("readout", before.readout, after.readout),
    ]


def edge_phrase(edge: Edge) -> str:
    """Return an edge in words: `hint from teacher:s3 to candidate:s3`; logits go without saying."""
    start = f" from {_end(edge.source)}" if edge.source else ""
    return f"{edge.loss['name']}{start} to {_end(edge.to)}"


def curve_phrase(curve: Curve) -> str:
    """Return how a number goes on: `1`, or `linear 0 to 1`."""
    if curve.kind == "constant":
        return _word(curve.end)
    until = "" if curve.until == 1 else f" at {_word(curve.until)}"
    return f"{curve.kind} {_word(curve.start)} to {_word(curve.end)}{until}"


def _first(found: Sequence[str]) -> str:
    """Return as many changes as fit into a line, and the number of the others."""
    lengths = accumulate(len(change) + 2 for change in found)
    shown = max(1, sum(length <= _LETTERS for length in lengths))
    rest = [f"{len(found) - shown} more"] if shown < len(found) else []
    return "; ".join([*found[:shown], *rest])


def _growth(edit: Edit) -> Iterator[str]:
    """Yield how a member's network has changed, which is not among the genes."""
    if "edit" in edit.args:
        inner = Edit.from_json(edit.args["edit"])
        yield f"{' '.join((inner.operator, *inner.targets))} of {edit.args['node']}"


def _copied(change: str, edit: Edit) -> str:
    """Say with a node that comes of whom it is a copy."""
    has_model = "of" in edit.args and change == f"+ {edit.args['node']}"
    return f"{change}, a copy of {edit.args['of']}" if has_model else change


def _cohort_edits(genome: Genome) -> list[Edit]:
    return [edit for edit in genome.edits if COHORT_GENES in edit.targets]


def _before(earlier: Sequence[Edit], origin: Genome | None) -> Cohort | None:
    if earlier:
        return Cohort.from_json(earlier[-1].args["genes"])
    return None if origin is None else Cohort.of(origin)


def _block(cohort: Cohort) -> Mapping[str, Bilevel]:
    return {} if cohort.bilevel is None else {"bilevel": cohort.bilevel}


def _edge_differences(before: Cohort, after: Cohort) -> Iterator[str]:
    """Yield the changes of edges; one that goes where one comes has become that one."""
    old, new = ({edge.name: edge for edge in one.edges} for one in (before, after))
    gone = [edge for name, edge in old.items() if name not in new]
    come = [edge for name, edge in new.items() if name not in old]
    if len(gone) == len(come) == 1:
        yield f"{edge_phrase(gone[0])} becomes {edge_phrase(come[0])}"
    else:
        yield from (f"- {edge_phrase(edge)}" for edge in gone)
        yield from (f"+ {edge_phrase(edge)}" for edge in come)
    for name in old.keys() & new.keys():
        yield from _part_differences(edge_phrase(old[name]), old[name], new[name])


def _differences(before: Mapping[str, Part], after: Mapping[str, Part]) -> Iterator[str]:
    yield from (f"- {name}" for name in before if name not in after)
    yield from (f"+ {name}" for name in after if name not in before)
    for name in before:
        if name in after:
            yield from _part_differences(name, before[name], after[name])


def _part_differences(name: str, old: Part, new: Part) -> Iterator[str]:
    found = [
        change
        for one in fields(old)
        for change in _changed(one.name, getattr(old, one.name), getattr(new, one.name))
    ]
    if found:
        yield f"{name}: {', '.join(found)}"


def _changed(name: str, old: Any, new: Any) -> Iterator[str]:
    """Yield how a field has changed; of a plug-in that stays, how its own fields have."""
    if old == new:
        return
    if isinstance(old, Mapping) and old["name"] == new["name"]:
        for field in sorted(old.keys() | new.keys()):
            yield from _changed(field, old.get(field, ""), new.get(field, ""))
    else:
        yield f"{name} {_word(old)} -> {_word(new)}"


def _word(value: Any) -> str:
    match value:
        case Curve():
            return curve_phrase(value)
        case float():
            return f"{value:.4g}"
        case Mapping():
            return str(value["name"])
        case tuple():
            return " + ".join(map(str, value)) or "none"
        case _:
            return str(value) or "none"


def _end(end: str) -> str:
    node, tap = split_end(end)
    return node if tap == LOGITS else end


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
