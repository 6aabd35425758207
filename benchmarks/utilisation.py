"""How busy an order of births keeps the workers, when some candidates take ten times as long.

`python benchmarks/utilisation.py` prints one table: the busy share of the workers' time in percent,
median and range over seeds, durations lognormal with sigma 0.8 (the slowest of a hundred takes six
times the median). The searches are real, from the loop to the journal; only the workers are
simulated, and what proposing takes is not counted. Counted is from the end of the seed, during
which nothing else can be born, to the start of the last candidate, after which nothing is left to
be born. A generational loop waits for all of a generation before the next, so it is counted to each
generation's end.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stub_search import STUB

from evonas import api
from evonas.history import Evaluation, Individual

Span = tuple[float, float]
Arm = Callable[[int, int, Path], float]
"""Returns the busy share of so many workers, by a seed, in a folder."""

WORKERS = (2, 4, 8, 16)
BIRTHS, GENERATION = 600, 20


def ordered(order: str, births_a_worker: int) -> Arm:
    """Return the search in an order, with a look-ahead of so many births for each worker."""

    def arm(workers: int, seed: int, folder: Path) -> float:
        lookahead = births_a_worker * workers
        table = {"order": order, "lookahead": lookahead, "births": 1 + BIRTHS}
        seed_span, *spans = searched(table, workers, seed, folder)
        end = max(start for start, _ in spans)
        return busy(spans, (seed_span[1], end)) / (workers * (end - seed_span[1]))

    return arm


def generational(workers: int, seed: int, folder: Path) -> float:
    """Search generation by generation: each is a search that is continued when all are finished."""
    work = time = 0.0
    for births in range(1, BIRTHS + 2, GENERATION):
        table = {"lookahead": GENERATION, "births": births}
        spans = searched(table, workers, seed, folder)[1:][-GENERATION:]
        end = max((end for _, end in spans), default=0.0)
        work, time = work + busy(spans, (0.0, end)), time + end
    return work / (workers * time)


ARMS: Mapping[str, Arm] = {
    "birth, 2 births a worker": ordered("birth", 2),
    "birth, 4 births a worker": ordered("birth", 4),
    "birth, 8 births a worker": ordered("birth", 8),
    "finish, 1 birth a worker": ordered("finish", 1),
    f"generations of {GENERATION}": generational,
}


def searched(table: Mapping[str, Any], workers: int, seed: int, folder: Path) -> list[Span]:
    """Search, or go on with a search; return when every candidate ran, by number."""
    executor = {
        "name": "simulated_workers:SimulatedWorkers",
        "workers": workers,
        "seed": seed,
    }
    found = api.search({**STUB, **table, "seed": seed, "executor": executor}, out=folder)
    return [span(one) for one in sorted(found.history, key=lambda one: one.number)]


def span(one: Individual) -> Span:
    """Return when a candidate ran."""
    assert isinstance(one.outcome, Evaluation), "simulated workers never fail"
    return one.outcome.metrics["start"], one.outcome.metrics["end"]


def busy(spans: Sequence[Span], window: Span) -> float:
    """Return how long the spans are within a window, in all."""
    first, last = window
    return sum(max(0.0, min(end, last) - max(start, first)) for start, end in spans)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    print(f"| order | {' | '.join(f'{workers} workers' for workers in WORKERS)} |")
    print("|---|" + "---|" * len(WORKERS))
    for name, arm in ARMS.items():
        cells = [cell(arm, workers, seeds) for workers in WORKERS]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def cell(arm: Arm, workers: int, seeds: Sequence[int]) -> str:
    """Return the median and the range of an arm."""
    shares: list[float] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            shares.append(100 * arm(workers, seed, Path(folder)))
    return f"{statistics.median(shares):.1f} ({min(shares):.1f} to {max(shares):.1f})"


if __name__ == "__main__":
    main()
