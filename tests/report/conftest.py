"""A short search with everything that a report must show."""

import pytest

from evonas.genome import Birth, Edit, Genome, LayerGraph, Node
from evonas.history import Cost, Evaluation, Failure, History, Individual, Objective, Outcome

TROUBLE = "<b>bad</b> & 'worse'"


def network() -> LayerGraph:
    return LayerGraph(
        (
            Node("pixels", "input", (), {"shape": [4]}),
            Node("first", "linear", ("pixels",), {"out": 3, "bias": True}),
            Node("relu", "act", ("first",), {"kind": "relu"}),
            Node("last", "linear", ("relu",), {"out": 2, "bias": True}),
            Node("classes", "output", ("last",)),
        )
    )


def individual(
    number: int, operator: str, parents: tuple[int, ...], outcome: Outcome, num_edits: int = 0
) -> Individual:
    edits = tuple(Edit("widen", ("net/first",), {"times": at}) for at in range(num_edits))
    genome = Genome({"net": network()}, {"optimizer.lr": 0.1}, {}, edits)
    return Individual(number, Birth(genome, operator, parents, 7), outcome)


def evaluation(error: float, macs: float) -> Evaluation:
    return Evaluation({"error": error, "macs": macs, "parameters": macs / 2}, Cost(100, 1e6, 2.0))


@pytest.fixture
def objectives() -> list[Objective]:
    return [Objective("error", "min"), Objective("macs", "min")]


@pytest.fixture
def individuals() -> list[Individual]:
    """Front: 0 (smallest), 1, 4 (best). 3 has failed, 5 is worse than its parent."""
    return [
        individual(0, "seed", (), evaluation(0.5, 1000)),
        individual(1, "widen", (0,), evaluation(0.3, 2000), 1),
        individual(2, "control", (0,), evaluation(0.4, 2000)),
        individual(3, TROUBLE, (1,), Failure("error", TROUBLE, f"Traceback\n{TROUBLE}"), 2),
        individual(4, "crossover", (1, 2), evaluation(0.1, 4000), 3),
        individual(5, "widen", (4,), evaluation(0.2, 8000), 4),
    ]


@pytest.fixture
def history(individuals: list[Individual]) -> History:
    return History(individuals)
