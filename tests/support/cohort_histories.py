"""A small search with cohorts written down by hand: genes, their edits, a made-up diagnosis."""

from collections.abc import Mapping
from dataclasses import replace

from histories import evaluation, seed_genome, widened

from evonas.genome import Birth, Genome
from evonas.genome.cohort import COHORT_GENES, Aggregator, Cohort, Edge, Node
from evonas.genome.members import NETWORK, with_members
from evonas.genome.schedule import Curve
from evonas.history import Evaluation, History, Individual

CANDIDATE = Node(kind="candidate", role="student")
TASK = Edge(loss={"name": "task"}, to="candidate:logits")
KL = Edge(
    loss={"name": "kl", "temperature": 4.0},
    to="candidate:logits",
    source="teacher:logits",
    weight=Curve(end=0.9),
)
HINT = Edge(loss={"name": "hint"}, to="candidate:s1", source="teacher:s1", unit="gradient")
FROM_PEER = Edge(loss={"name": "kl"}, to="candidate:logits", source="peer:logits")
TO_PEER = Edge(loss={"name": "kl"}, to="peer:logits", source="candidate:logits")
PEER_TASK = Edge(loss={"name": "task"}, to="peer:logits")
FROM_MEAN = Edge(loss={"name": "kl"}, to="candidate:logits", source="ensemble")

KD = Cohort(
    preset="kd",
    nodes={"candidate": CANDIDATE, "teacher": Node(kind="teacher", role="teacher")},
    edges=(TASK, KL),
)
HINTED = replace(KD, edges=(*KD.edges, HINT))
PEERED = replace(
    HINTED,
    nodes={**KD.nodes, "peer": Node(kind="member", role="peer")},
    aggregators={
        "ensemble": Aggregator(rule={"name": "gate"}, inputs=("teacher:logits", "peer:logits"))
    },
    edges=(*HINTED.edges, FROM_PEER, TO_PEER, PEER_TASK, FROM_MEAN),
)


def with_cohort(genome: Genome, cohort: Cohort, operator: str) -> Genome:
    """Return the genome after an edit to this cohort, with a graph for every member."""
    edit = genome.edit(operator, COHORT_GENES, genes=cohort.to_json())
    graph = genome.architecture[NETWORK]
    graphs = {name: graph for name, node in cohort.nodes.items() if node.kind == "member"}
    return with_members(cohort.put_into(genome), graphs).with_edit(edit)


def diagnosed(error: float, cohort: Cohort, dead: Mapping[str, float]) -> Evaluation:
    """Return an outcome with a diagnosis of three epochs; `dead` has gradients of some edges."""
    curve: list[tuple[int, Mapping[str, float]]] = []
    for epoch in (1, 2, 3):
        metrics = {"error": error + 0.3 / epoch, "cohort/diversity": 0.4 / epoch}
        for name in cohort.aggregators:
            metrics[f"cohort/{name}/entropy"] = 0.7 - 0.1 * epoch
        for edge in cohort.edges:
            numbers = {
                "loss": 1.5 / epoch,
                "weight": edge.weight.at(epoch / 3),
                "gradient": dead.get(edge.name, 0.2 / epoch),
            }
            metrics |= {f"cohort/{edge.name}/{name}": value for name, value in numbers.items()}
        curve.append((epoch, metrics))
    return replace(evaluation(error, 100.0), curve=tuple(curve))


def cohort_history() -> History:
    """Return a search of 5 births in cohorts.

    Number 1 adds a hint that is dead in the end, number 2 a peer and a gate, number 3 is number 2
    wider, and number 4 has other numbers in its first edge.
    """
    seed = KD.put_into(seed_genome())
    hinted = with_cohort(seed, HINTED, "cohort-add-edge")
    peered = with_cohort(hinted, PEERED, "cohort-clone")
    softer = replace(KL, loss={"name": "kl", "temperature": 2.5}, weight=Curve(end=0.45))
    jittered = with_cohort(seed, replace(KD, edges=(TASK, softer)), "cohort-jitter")
    births: list[tuple[Genome, str, tuple[int, ...], Evaluation]] = [
        (seed, "seed", (), diagnosed(0.4, KD, {})),
        (hinted, "cohort-add-edge", (0,), diagnosed(0.3, HINTED, {HINT.name: 1e-5})),
        (peered, "cohort-clone", (1,), diagnosed(0.2, PEERED, {HINT.name: 1e-5})),
        (widened(peered), "widen", (2,), evaluation(0.25, 140.0)),
        (jittered, "cohort-jitter", (0,), evaluation(0.35, 100.0)),
    ]
    return History(
        [
            Individual(number, Birth(genome, operator, parents, number), outcome)
            for number, (genome, operator, parents, outcome) in enumerate(births)
        ]
    )
