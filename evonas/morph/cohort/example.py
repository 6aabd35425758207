"""A small cohort of any candidate, by which the operators on cohorts are checked."""

from evonas.genome import Genome
from evonas.genome.cohort import CANDIDATE, Aggregator, Cohort, Edge, Node, Stage
from evonas.genome.cohort_kinds import AggregatorKind, LossKind
from evonas.genome.members import NETWORK, with_members
from evonas.genome.taps import network_taps
from evonas.morph.cohort.options import CohortOptions

_PEERS = ("left", "right")


def example_options() -> CohortOptions:
    """Return what a search might allow."""
    return CohortOptions(
        losses={
            "kl": LossKind(ends="logits", temperature=4.0),
            "mse-logits": LossKind(ends="logits", weight=0.5),
            "distance": LossKind(ends="vectors", adapts="embed"),
        },
        aggregators={
            "mean": AggregatorKind(),
            "attention": AggregatorKind(queries="each", has_rows=True, has_parameters=True),
        },
        samplers=({"name": "shuffled"}, {"name": "per-class", "count": 2}),
        taps=network_taps,
    )


def with_example(genome: Genome) -> Genome:
    """Return a genome of one network with two peers, which teach it; all teach one of them."""
    if set(genome.architecture) != {NETWORK}:
        return genome
    trained = (CANDIDATE, *_PEERS)
    labels = (Edge(loss={"name": "task"}, to=f"{name}:logits") for name in trained)
    kl = {"name": "kl", "temperature": 4.0}
    cohort = Cohort(
        nodes={
            CANDIDATE: Node(kind="candidate", role="student"),
            **{name: Node(kind="member", role="peer") for name in _PEERS},
        },
        aggregators={
            "ensemble": Aggregator(
                rule={"name": "mean"}, inputs=tuple(f"{name}:logits" for name in trained)
            )
        },
        edges=(
            *labels,
            Edge(loss=kl, to="candidate:logits", source="left:logits"),
            Edge(loss=kl, to="candidate:logits", source="right:logits"),
            Edge(loss=kl, to="left:logits", source="ensemble"),
            Edge(loss={"name": "distance"}, to="left:gap", source="candidate:gap"),
        ),
        stages=(Stage(train=trained),),
    )
    graph = genome.architecture[NETWORK]
    return with_members(cohort.put_into(genome), dict.fromkeys(_PEERS, graph))
