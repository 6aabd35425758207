"""What an MLflow server in trouble costs a search.

Repeat with `python benchmarks/mlflow_trouble.py [REPEATS]`, on an idle machine. The search of
`runs/digits.toml` with two workers, in a process of its own, is run with no tracker and with a real
MLflow server behind a proxy: sound, late by two seconds a call, gone, and never answering. Arms are
run in turns, each with its own seed a repeat; ratios are to the arm `none` of the same repeat. The
clocks start with the eighth candidate, when MLflow is imported (1.3 CPU seconds, once a search),
and stop with the last; `end` is how long the search then waits for the server. The server shares
the machine, so what it takes itself is in the wall clock of `sound` and `late`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

from faulty_proxy import Fault, faulty_proxy
from mlflow_server import mlflow_server

from evonas import api
from evonas.genome import Birth
from evonas.history import Individual

ARMS: Mapping[str, Fault | None] = {
    "none": None, "sound": "none", "late": "slow", "gone": "away", "never answers": "silent"
}  # fmt: skip
DELAY = 2.0
WARM = 8
BIRTHS = 40
EPOCHS = 8


@final
class Clock:
    """A view that only looks at the clock."""

    def __init__(self) -> None:
        self.start = self.last = time.perf_counter()
        self.cpu = time.process_time()
        self.last_cpu = self.cpu
        self.num_finished = 0
        self.words: list[str] = []

    def told(self, message: str) -> None:
        """Keep what the engine says."""
        self.words += [message] if message else []

    def resumed(self, individuals: Sequence[Individual]) -> None:
        """Look away."""

    def born(self, number: int, birth: Birth) -> None:
        """Look away."""

    def reported(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """Look away."""

    def finished(self, individual: Individual) -> None:
        """Note when the first that counts and the last have come to their ends."""
        del individual
        self.num_finished += 1
        self.last, self.last_cpu = time.perf_counter(), time.process_time()
        if self.num_finished == WARM:
            self.start, self.cpu = self.last, self.last_cpu


def one_search(uri: str, seed: int) -> None:
    """Search in this process, and print what it took as JSON."""
    tracker = f'tracker={{name="mlflow", uri="{uri}", models=false}}' if uri else 'tracker="none"'
    length = (f"births={BIRTHS}", f"trainer.epochs={EPOCHS}", "final.members=1")
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        run = api.configure("runs/digits.toml", (*length, f"seed={seed}", tracker))
        api.search(run, out=Path(folder) / "run", view=clock)
    took = {"search": clock.last - clock.start, "cpu": clock.last_cpu - clock.cpu}
    print(json.dumps({**took, "end": time.perf_counter() - clock.last, "words": clock.words}))


def measured(fault: Fault | None, port: int, seed: int) -> dict[str, float]:
    """Return what a search took whose server has this fault, or that has no server."""
    with faulty_proxy(port) as proxy:
        proxy.delay = DELAY
        proxy.fault = fault or "none"
        uri = "" if fault is None else proxy.uri
        command = [sys.executable, __file__, "--search", uri, str(seed)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - itself
    took = json.loads(done.stdout.splitlines()[-1])
    print(f"seed {seed}, {fault}: {took}", file=sys.stderr, flush=True)
    return {name: took[name] for name in ("search", "cpu", "end")}


def main(repeats: int) -> None:
    """Print the table."""
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as folder, mlflow_server(Path(folder)) as port:
        for seed in range(repeats):
            for arm, fault in ARMS.items():
                found[arm].append(measured(fault, port, seed))
    print("| server | search s | ratio (least to most) | controller CPU s | ratio | end s |")
    print("|---|---|---|---|---|---|")
    for arm, rows in found.items():
        ratios = {
            name: [row[name] / base[name] for row, base in zip(rows, found["none"], strict=True)]
            for name in ("search", "cpu")
        }
        middle = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        wall = f"{statistics.median(ratios['search']):.3f}"
        wall += f" ({min(ratios['search']):.3f} to {max(ratios['search']):.3f})"
        cells = (arm, f"{middle['search']:.1f}", wall, f"{middle['cpu']:.2f}")
        cells += (f"{statistics.median(ratios['cpu']):.2f}", f"{middle['end']:.1f}")
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        one_search(sys.argv[2], int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
