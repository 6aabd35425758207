"""A journal of four individuals and a birth in flight, written in no time."""

from pathlib import Path

from evonas.genome import Birth, Genome, LayerGraph, Node
from evonas.history import Cost, Evaluation, Failure, Outcome
from evonas.store import JOURNAL, Store

GRAPH = LayerGraph(
    (
        Node("input", "input", (), {"shape": [4]}),
        Node("head", "linear", ("input",), {"out": 2, "bias": True}),
        Node("output", "output", ("head",)),
    )
)
OUTCOMES: tuple[Outcome, ...] = (
    Evaluation({"error": 0.1 + 0.2, "macs": 1e20}, Cost(10, 3e4, 1.5), "ab" * 32),
    Failure(
        "error", 'RuntimeError: \u00e9 \u2028 "quoted"', "Traceback\n  line\n", Cost(1, 2.0, 3.0)
    ),
    Evaluation({"error": 5e-324}, curve=((1, {"error": 0.5}), (2, {})), stopped=True, same_as=0),
    Failure("timeout", "still training after 3.0 s"),
)


def birth(number: int) -> Birth:
    genome = Genome({"net": GRAPH}, {"lr": 0.1 * number, "name": "sgd\n"}, {"pruning": {"p": 0.5}})
    genome = genome.with_edit(genome.edit("settings", "settings/lr", value=0.1 * number))
    return Birth(genome, "settings", (0,) if number else (), 2**62 + number)


def recorded(folder: Path) -> Path:
    """Record a run in this folder; return it."""
    opened = Store(folder, "flush")
    for number, outcome in enumerate(OUTCOMES):
        opened.birth(number, birth(number))
        opened.outcome(number, outcome, elapsed=10.0 * number)
    opened.birth(4, birth(4))
    opened.close()
    return folder


def journal(folder: Path) -> bytes:
    """Return the bytes of a run's journal."""
    return (folder / JOURNAL).read_bytes()
