"""A small network that may have a cohort, what a search of it allows, and cohorts by hand."""

from dataclasses import replace

from evonas.genome import Genome, LayerGraph
from evonas.genome.cohort import Aggregator, Cohort, Edge, Node, Stage
from evonas.genome.cohort_kinds import AggregatorKind, LossKind, Tap
from evonas.genome.members import NETWORK, with_members
from evonas.genome.taps import network_taps
from evonas.morph.cohort.options import CohortOptions
from evonas.networks import Signature
from evonas_spaces.eena import Eena

SPACE = Eena(stem=4, width=6, last=8, blocks=3)
SEED = SPACE.seed({"net": Signature((1, 8, 8), (10,))})
TAPS = network_taps(SEED)
OPTIONS = CohortOptions(
    losses={
        "kl": LossKind(ends="logits"),
        "mse-logits": LossKind(ends="logits", weight=0.5),
        "hint": LossKind(ends="maps", adapts="match"),
        "z-hint": LossKind(ends="maps"),
        "distance": LossKind(ends="vectors", adapts="embed"),
        "angle": LossKind(ends="vectors", adapts="embed", max_batch=128),
        "vcl": LossKind(ends="vectors", has_source=False, adapts="embed", per_class=2),
        "icl": LossKind(ends="vectors", adapts="embed", per_class=2),
    },
    aggregators={
        "mean": AggregatorKind(),
        "latent": AggregatorKind(queries="one", query_ends="maps", has_parameters=True),
        "attention": AggregatorKind(queries="each", has_rows=True, has_parameters=True),
    },
    samplers=(
        {"name": "shuffled"},
        {"name": "per-class", "count": 2},
        {"name": "pool", "share": 0.5},
    ),
    scorers=frozenset({"pool"}),
    teachers={"teacher": TAPS, "other": TAPS},
    sizes={"teacher": 10_000, "other": 20_000},
    taps=network_taps,
    batch_size=32,
)
TEACHER = Node(kind="teacher", role="teacher")
CANDIDATE_NODE = Node(kind="candidate", role="student")
PEER = Node(kind="member", role="peer")


def task(node: str = "candidate", tag: str = "") -> Edge:
    """Return the edge from the labels to a node."""
    return Edge(loss={"name": "task"}, to=f"{node}:logits", tag=tag)


def edge(loss: str, source: str, to: str, *, both: bool = False, tag: str = "") -> Edge:
    """Return an edge of some loss."""
    return Edge(loss={"name": loss}, to=to, source=source, both=both, tag=tag, unit="gradient")


def kd() -> Cohort:
    """Return a student and its teacher."""
    return Cohort(
        preset="kd",
        nodes={"candidate": CANDIDATE_NODE, "teacher": TEACHER},
        edges=(task(), edge("kl", "teacher:logits", "candidate:logits")),
    )


def mutual() -> Cohort:
    """Return two peers that learn from each other's logits."""
    return Cohort(
        nodes={"candidate": CANDIDATE_NODE, "peer": PEER},
        edges=(
            task(),
            task("peer"),
            edge("kl", "peer:logits", "candidate:logits"),
            edge("kl", "candidate:logits", "peer:logits"),
        ),
        stages=(Stage(train=("candidate", "peer")),),
    )


def taught() -> Cohort:
    """Return a student of the mean of two teachers, in two stages, with a snapshot of itself."""
    return Cohort(
        nodes={
            "candidate": CANDIDATE_NODE,
            "teacher": TEACHER,
            "other": TEACHER,
            "past": Node(kind="snapshot", role="teacher", of="candidate"),
        },
        aggregators={
            "ensemble": Aggregator(rule={"name": "mean"}, inputs=("teacher:logits", "other:logits"))
        },
        edges=(
            task(tag="first"),
            edge("hint", "teacher:s1", "candidate:s1", tag="first"),
            edge("kl", "ensemble", "candidate:logits", tag="second"),
            edge("mse-logits", "past:logits", "candidate:logits", tag="second"),
        ),
        stages=(
            Stage(name="warm", share=0.25, tags=("first",)),
            Stage(
                name="main",
                share=0.75,
                tags=("first", "second"),
                snapshots=("past",),
                sampler={"name": "pool", "share": 0.5},
                scorer="past",
            ),
        ),
    )


def contrastive() -> Cohort:
    """Return two peers whose embeddings are contrasted."""
    cohort = mutual()
    return replace(
        cohort,
        edges=(
            *cohort.edges,
            Edge(loss={"name": "vcl"}, to="candidate:gap"),
            edge("icl", "peer:gap", "candidate:gap", both=True),
        ),
        stages=(replace(cohort.stages[0], sampler={"name": "per-class", "count": 2}),),
    )


def with_cohort(cohort: Cohort, **graphs: LayerGraph) -> Genome:
    """Return the seed with a cohort, whose members have the seed's network unless given."""
    names = [name for name, node in cohort.nodes.items() if node.kind == "member"]
    own = {name: graphs.get(name, SEED.architecture[NETWORK]) for name in names}
    return with_members(cohort.put_into(SEED), own)


def with_taps(taps: dict[str, Tap]) -> CohortOptions:
    """Return the options with another teacher."""
    return replace(OPTIONS, teachers={"teacher": taps})
