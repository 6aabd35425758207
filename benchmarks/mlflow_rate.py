"""Candidates a second into MLflow and back, and what a search waits for it.

Repeat with `python benchmarks/mlflow_rate.py [CANDIDATES [URI]]`; without the URI of a server, into
SQLite files. Every candidate is a nested run with about 20 parameters, 10 tags, 25 metric values,
the genome, the outcome and a drawing. `by call` is the usual way of logging, one value a call.
`again` is what `evonas track` takes where all is there. The delay is that of the search's thread,
measured while the mirror's thread works; its rare long ones are the interpreter's switches of
thread.
"""

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final
from uuid import uuid4

import psutil
from mlflow import MlflowClient

from evonas.genome import Birth, Genome, LayerGraph, Node
from evonas.history import Cost, Evaluation, Individual, Objective
from evonas.tracking import mlflow_store
from evonas.tracking.from_mlflow import history_from_mlflow
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.record import record
from evonas.tracking.tracker import SearchInfo, track

OBJECTIVES = (Objective("error", "min"), Objective("macs", "min"))


def candidates(number: int) -> list[Individual]:
    """Return a search of one long line."""
    conv = {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}
    found: list[Individual] = []
    for place in range(number):
        nodes = [Node("image", "input", (), {"shape": [3, 32, 32]})]
        for layer in range(8):
            params = {**conv, "out": 8 + place % 50, "bias": True}
            nodes.append(Node(f"conv{layer}", "conv", (nodes[-1].id,), params))
            nodes.append(Node(f"act{layer}", "act", (nodes[-1].id,), {"kind": "relu"}))
        nodes.append(Node("pool", "gap", (nodes[-1].id,)))
        nodes.append(Node("head", "linear", ("pool",), {"out": 10, "bias": True}))
        nodes.append(Node("end", "output", ("head",)))
        genome = Genome({"net": LayerGraph(tuple(nodes))}, {f"gene{g}": g / 7 for g in range(10)})
        curve = tuple((step, {"error": 1 / step, "loss": 2 / step}) for step in range(1, 8))
        outcome = Evaluation({"error": 0.1, "macs": 1e6}, Cost(5_000, 1e9, 3.0), "0" * 64, curve)
        parents = (place - 1,) if place else ()
        found.append(Individual(place, Birth(genome, "widen", parents, place), outcome))
    return found


@final
@dataclass(frozen=True)
class Speed:
    """Candidates a second and a CPU second of this process, and how much it grew in MB."""

    wall: float
    cpu: float
    grown: float


@final
class Stopwatch:
    """Measures from here on."""

    def __init__(self) -> None:
        self.memory = psutil.Process().memory_info().rss
        self.start, self.cpu = time.perf_counter(), time.process_time()

    def speed(self, number: int) -> Speed:
        """Return the speed at which so many candidates have passed."""
        wall, cpu = time.perf_counter() - self.start, time.process_time() - self.cpu
        grown = psutil.Process().memory_info().rss - self.memory
        return Speed(number / wall, number / cpu, grown / 1e6)


def mirrored(uri: str, found: Sequence[Individual], name: str) -> tuple[Speed, list[float]]:
    """Return the speed into a store, and the search's delay for each candidate."""
    warm = MlflowTracker(uri=uri, experiment="warm", models=False).start(info(f"warm {name}"))
    warm.finished(found[0])
    warm.close((), 600.0)
    mirror = MlflowTracker(uri=uri, models=False).start(info(name))
    delays: list[float] = []
    watch = Stopwatch()
    for individual in found:
        before = time.perf_counter()
        mirror.finished(individual)
        delays.append(time.perf_counter() - before)
        time.sleep(0.001)
    if missing := mirror.close((), math.inf):
        raise SystemExit(missing)
    return watch.speed(len(found)), delays


def again(uri: str, found: Sequence[Individual], name: str) -> Speed:
    """Return the speed of tracking what is there."""
    watch = Stopwatch()
    if missing := track(MlflowTracker(uri=uri, models=False), info(name), found, (), math.inf):
        raise SystemExit(missing)
    return watch.speed(len(found))


def back(uri: str, found: Sequence[Individual], name: str) -> Speed:
    """Return the speed of reading a history back."""
    watch = Stopwatch()
    assert len(history_from_mlflow(uri, "evonas", name)) == len(found)
    return watch.speed(len(found))


def info(name: str) -> SearchInfo:
    """Return a search of this name."""
    return SearchInfo(name, Path("runs") / name, {}, OBJECTIVES)


def by_call(uri: str, found: Sequence[Individual]) -> Speed:
    """Return candidates a second and a CPU second with one call a value."""
    client = MlflowClient(uri)
    experiment = mlflow_store.experiment_id(client, uri, "by call")
    watch = Stopwatch()
    for individual in found:
        page = record(individual, None, individual.outcome.cost)
        run_id = client.create_run(experiment).info.run_id
        for name, text in page.tags.items():
            client.set_tag(run_id, name, text)
        for name, text in page.params.items():
            client.log_param(run_id, name, text)
        for point in page.points:
            client.log_metric(run_id, point.name, point.value, step=point.step)
        for name, text in page.files.items():
            client.log_text(run_id, text, name)
        client.set_terminated(run_id)
    return watch.speed(len(found))


def main(number: int, server: str | None) -> None:
    """Print the table."""
    found = candidates(number)
    name = f"rate {uuid4()}"
    with tempfile.TemporaryDirectory() as folder:
        uri = server or f"sqlite:///{folder}/wal.db"
        into, delays = mirrored(uri, found, name)
        rows = {"evonas": into}
        rows["evonas again"] = again(uri, found, name)
        rows["read back"] = back(uri, found, name)
        rows["one call a value"] = by_call(uri, found[: max(3, number // 100)])
        if server is None:
            (Path(folder) / "plain.db").touch()
            plain, _ = mirrored(f"sqlite:///{folder}/plain.db", found[:200], name)
            rows["evonas, SQLite not in WAL mode"] = plain
    print(f"{number} candidates{'a second':>27} {'a CPU second':>13} {'MB grown':>9}")
    for row, speed in rows.items():
        print(f"{row:32} {speed.wall:8.1f} {speed.cpu:13.1f} {speed.grown:9.0f}")
    micros = sorted(1e6 * delay for delay in delays)
    print(
        f"delay of the search a candidate: median {statistics.median(micros):.1f} us, "
        f"99 of 100 below {micros[int(0.99 * (len(micros) - 1))]:.1f} us, "
        f"worst {micros[-1] / 1e3:.2f} ms"
    )


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 200,
        sys.argv[2] if len(sys.argv) > 2 else None,
    )
