"""A long search: what grows in the controller, and how fast the journal is read back.

`python benchmarks/soak.py` searches 10,000 candidates that cost nothing with 2 workers and prints a
table with a row every 1,000: resident memory of the controller without its children, open files,
threads and children. Then: candidates a second, bytes of journal a candidate, and the seconds to
read the journal back, the best of three. `--controller eena` has real genomes evolve, whose records
of edits grow with the depth of the family tree.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import psutil
from stub_search import STUB

from evonas import api
from evonas.genome import Birth
from evonas.history import Individual
from evonas.store import JOURNAL, read_journal

BIRTHS, EVERY = 10_000, 1_000


@final
@dataclass(frozen=True)
class Sizes:
    """What a process holds; `memory` is resident, in megabytes."""

    memory: float
    files: int
    threads: int
    children: int

    @classmethod
    def of(cls, process: psutil.Process) -> "Sizes":
        """Measure a process, without its children."""
        with process.oneshot():
            memory = process.memory_info().rss / 2**20
            return cls(memory, process.num_fds(), process.num_threads(), len(process.children()))


@final
class Gauge:
    """Watches a search, and measures its process every so many candidates."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._process = psutil.Process()
        self.num_finished = 0
        self.rows: list[tuple[int, Sizes]] = []

    def told(self, message: str) -> None:
        """Print what the engine has to say."""
        if message:
            print(message, flush=True)

    def resumed(self, individuals: Sequence[Individual]) -> None:
        """Go on counting."""
        self.num_finished += len(individuals)

    def born(self, number: int, birth: Birth) -> None:
        """Do nothing."""

    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def finished(self, individual: Individual) -> None:
        """Measure, if it is time to."""
        del individual
        self.num_finished += 1
        if self.num_finished % self._every == 0:
            self.rows.append((self.num_finished, Sizes.of(self._process)))


def soaked(table: Mapping[str, Any], folder: Path, every: int) -> list[tuple[int, Sizes]]:
    """Search with 2 workers; return what was measured after how many candidates."""
    gauge = Gauge(every)
    executor = {"name": "processes", "workers": 2}
    api.search({**STUB, "executor": executor, **table}, out=folder, view=gauge)
    return gauge.rows


def seconds_to_read(folder: Path) -> float:
    """Return what reading the journal takes, the best of three."""
    found: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        read_journal(folder)
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--births", type=int, default=BIRTHS)
    parser.add_argument("--controller", default=STUB["controller"])
    parser.add_argument("--executor", default="processes", help="`serial` is the faster one")
    options = parser.parse_args()
    table: dict[str, Any] = {"births": options.births, "controller": options.controller}
    if options.executor != "processes":
        table["executor"] = options.executor
    with tempfile.TemporaryDirectory() as name:
        folder, start = Path(name), time.perf_counter()
        rows = soaked(table, folder, min(EVERY, options.births // 10))
        seconds = time.perf_counter() - start
        print(
            "| candidates | memory, MB | open files | threads | children |\n|---|---|---|---|---|"
        )
        for number, size in rows:
            cells = f"{size.memory:.1f} | {size.files} | {size.threads} | {size.children}"
            print(f"| {number} | {cells} |")
        num_bytes = (folder / JOURNAL).stat().st_size / options.births
        print(f"\n{options.births / seconds:.1f} candidates a second")
        print(f"{num_bytes:.0f} bytes of journal a candidate")
        print(f"{seconds_to_read(folder):.2f} s to read it back")


if __name__ == "__main__":
    main()
