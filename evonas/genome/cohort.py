"""The cohort chromosome: with whom a candidate learns, and what is transferred between whom.

A cohort is a small graph. Its nodes are networks: the candidate itself, members that are trained
beside it, frozen teachers, snapshots, and views that share parameters. Its edges are losses, each
from a tap of one node to a tap of another. Aggregators make one target of several taps. Stages say
who trains by which edges, when, and on which samples. A bilevel block says how samples' weights on
matched edges learn. All of it is scaffolding: what is handed over
is the candidate, and with it the views that the readout names.

An end of an edge is `node:tap`, where the tap is a semantic name that the search space resolves
(`s1`, ..., `last`, `gap`, `logits`), or the name of an aggregator, which has no colon.

The networks of members are a chromosome of their own (`evonas.genome.members`).
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Literal, final

from evonas.genome import canonical
from evonas.genome.bilevel import Bilevel
from evonas.genome.genome import Genome
from evonas.genome.schedule import Curve

COHORT = "cohort"
"""The name of the chromosome, and the first part of its edits' targets."""

COHORT_GENES = f"{COHORT}/genes"
"""The target of every edit of the chromosome."""

COHORT_CROSS = "cohort-cross"
"""The operator of an edit to a cohort of two parents."""

CANDIDATE = "candidate"
"""The node that every cohort has: the network of the genome."""

DIGITS = 6
"""Significant digits that numbers of the canonical form have."""

NodeKind = Literal["candidate", "member", "teacher", "snapshot", "view"]
Unit = Literal["loss", "gradient"]
Learns = Literal["edges", "labels", "nothing"]
Spec = Mapping[str, Any]
"""A plug-in by `name`, with its fields."""


@final
@dataclass(frozen=True, kw_only=True)
class Node:
    """A network of the cohort.

    Attributes:
        kind: `candidate`; `member`, trained beside it, with a graph and inherited weights of its
            own; `teacher`, frozen, named in the run file; `snapshot`, a frozen copy of another
            node, taken when a stage begins; `view`, a part of another node with the same
            parameters.
        role: What it is to the others (`student`, `peer`, `leader`, `teacher`, `assistant`, ...),
            by which crossover aligns nodes.
        of: The node that a snapshot copies, or a view is of.
        width: How many times wider than the candidate's a member's layers are at first.
        depths: For a view of fewer blocks: how many of each stage; norms and the last layer are its
            own.
        trunk: For a view of all layers: the tap up to which it shares them.
        own_view: Whether it sees the batch under an augmentation of its own.
    """

    kind: NodeKind
    role: str = ""
    of: str = ""
    width: float = 1.0
    depths: tuple[int, ...] = ()
    trunk: str = ""
    own_view: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Aggregator:
    """A virtual teacher: one target made of several.

    Attributes:
        rule: A plug-in of the group `evonas.aggregators`.
        inputs: The ends it is made of.
        queries: The ends by which it weighs them; as many as its kind asks for.
        learns: What trains its parameters: the edges it is part of, the labels' likelihood under
            its output, or nothing.
    """

    rule: Spec
    inputs: tuple[str, ...]
    queries: tuple[str, ...] = ()
    learns: Learns = "edges"


@final
@dataclass(frozen=True, kw_only=True)
class Edge:
    """A loss that draws one end towards another, or towards the labels.

    Attributes:
        loss: A plug-in of the group `evonas.transfer`, or `{"name": "task"}`: the trainer's loss
            against the labels.
        to: The end that learns.
        source: The end it learns from; empty for the labels, or for a loss of one end alone.
        weight: Over the stages in which the edge is active, taken together.
        unit: What the weight multiplies: the loss as it is, or the loss scaled so that its gradient
            at `to` is as long as that of cross-entropy.
        both: Whether the gradient flows into the source too.
        tag: By which stages choose edges.
        matched: Whether the loss of every sample has a weight that is learned (see `Bilevel`): how
            much both ends, or one and all that it is matched with, agree on the sample.
    """

    loss: Spec
    to: str
    source: str = ""
    weight: Curve = field(default_factory=lambda: Curve(end=1.0))
    unit: Unit = "loss"
    both: bool = False
    tag: str = ""
    matched: bool = False

    @property
    def name(self) -> str:
        """What errors and diagnostics call it; unique in a cohort."""
        start = f"{self.loss['name']} " + (f"{self.source} " if self.source else "")
        return f"{start}to {self.to}"


@final
@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the training.

    Attributes:
        name: Of the stage.
        share: Its part of the training; all sum to 1.
        train: Nodes and aggregators whose parameters move.
        tags: Of the edges that are active; empty for all.
        sampler: A plug-in of the group `evonas.samplers`.
        scorer: The node whose losses the sampler looks at, if it wants any.
        snapshots: Snapshot nodes that are taken when it begins.
        restart: Whether the learning rate's schedule starts anew.
    """

    name: str = "all"
    share: float = 1.0
    train: tuple[str, ...] = (CANDIDATE,)
    tags: tuple[str, ...] = ()
    sampler: Spec = field(default_factory=lambda: {"name": "shuffled"})
    scorer: str = ""
    snapshots: tuple[str, ...] = ()
    restart: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Cohort:
    """The chromosome.

    Attributes:
        preset: The published method it is, or started as; empty for none.
        nodes: By name; names are identifiers. One is `CANDIDATE`.
        aggregators: By name; no node has such a name.
        edges: No two of one name.
        stages: One after another.
        bilevel: How the weights of samples on matched edges learn, if there are any.
        readout: The nodes that are handed over and judged: the candidate, then views of it.
    """

    preset: str = ""
    nodes: Mapping[str, Node] = field(
        default_factory=lambda: {CANDIDATE: Node(kind="candidate", role="student")}
    )
    aggregators: Mapping[str, Aggregator] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    stages: tuple[Stage, ...] = (Stage(),)
    readout: tuple[str, ...] = (CANDIDATE,)
    bilevel: Bilevel | None = None

    @classmethod
    def of(cls, genome: Genome) -> "Cohort | None":
        """Read the chromosome of a genome, if it has one."""
        data = genome.chromosomes.get(COHORT)
        return None if data is None else cls.from_json(data)

    def put_into(self, genome: Genome) -> Genome:
        """Return the genome with this chromosome, in its canonical form."""
        return replace(genome, chromosomes={**genome.chromosomes, COHORT: self.to_json()})

    @property
    def key(self) -> str:
        """A hash of the canonical form."""
        return canonical.digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the canonical form: sorted, numbers rounded, defaults left out."""
        block = {} if self.bilevel is None else {"bilevel": _row(self.bilevel)}
        return {
            "preset": self.preset,
            "nodes": {name: _row(node) for name, node in sorted(self.nodes.items())},
            "aggregators": {name: _row(one) for name, one in sorted(self.aggregators.items())},
            "edges": sorted((_row(edge) for edge in self.edges), key=canonical.text),
            "stages": [_row(stage) for stage in self.stages],
            "readout": list(self.readout),
            **block,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Cohort":
        """Read what `to_json` wrote."""
        aggregators: Mapping[str, dict[str, Any]] = data["aggregators"]
        block = data.get("bilevel")
        return cls(
            preset=data["preset"],
            nodes={name: Node(**_tuples(row)) for name, row in data["nodes"].items()},
            aggregators={name: Aggregator(**_tuples(row)) for name, row in aggregators.items()},
            edges=tuple(_edge(row) for row in data["edges"]),
            stages=tuple(Stage(**_tuples(row)) for row in data["stages"]),
            readout=tuple(data["readout"]),
            bilevel=None if block is None else Bilevel(**block),
        )


def split_end(end: str) -> tuple[str, str]:
    """Split an end into node and tap; an aggregator has no tap.

    >>> split_end("teacher:logits"), split_end("ensemble")
    (('teacher', 'logits'), ('ensemble', ''))
    """
    name, _, tap = end.partition(":")
    return name, tap


def _row(part: Node | Aggregator | Edge | Stage | Curve | Bilevel) -> dict[str, Any]:
    """Return a part as JSON, without the fields that have their default."""
    row: dict[str, Any] = {}
    for one in fields(part):
        value = getattr(part, one.name)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if value != default:
            row[one.name] = _rounded(value)
    return row


def _rounded(value: Any) -> Any:
    match value:
        case bool() | int() | str():
            return value
        case float():
            return float(f"{value:.{DIGITS}g}")
        case Curve():
            return _row(value)
        case Mapping():
            return {name: _rounded(one) for name, one in value.items()}
        case _:
            return [_rounded(one) for one in value]


def _edge(row: Mapping[str, Any]) -> Edge:
    weight = row.get("weight")
    return Edge(**({**row, "weight": Curve(**weight)} if weight is not None else row))


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(one) if isinstance(one, list) else one for name, one in row.items()}
