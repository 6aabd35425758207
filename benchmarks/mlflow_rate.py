"""Candidates a second into MLflow's SQLite store, and what a search waits for it.

Repeat with `python benchmarks/mlflow_rate.py [CANDIDATES]`. Every candidate is a nested run with
about 20 parameters, 10 tags, 25 metric values, the genome, the outcome and a drawing. `by call` is
the usual way of logging, one value a call. The delay is that of the search's thread, measured
while the mirror's thread works; its rare long ones are the interpreter's switches of thread.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

from evonas.genome import Birth, Genome, LayerGraph, Node
from evonas.history import Cost, Evaluation, Individual, Objective
from evonas.tracking import mlflow_store
from evonas.tracking.mlflow_tracker import MlflowTracker
from evonas.tracking.record import record
from evonas.tracking.tracker import SearchInfo

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


def mirrored(uri: str, found: Sequence[Individual]) -> tuple[float, float, list[float]]:
    """Return candidates a second and a CPU second, and the search's delay for each."""
    search = SearchInfo("rate", Path("runs/rate"), {}, OBJECTIVES)
    warm = MlflowTracker(uri=uri, experiment="warm", models=False).start(search)
    warm.finished(found[0])
    warm.close((), 600.0)
    mirror = MlflowTracker(uri=uri, models=False).start(search)
    delays: list[float] = []
    start, cpu = time.perf_counter(), time.process_time()
    for individual in found:
        before = time.perf_counter()
        mirror.finished(individual)
        delays.append(time.perf_counter() - before)
        time.sleep(0.001)
    missing = mirror.close((), 600.0)
    if missing:
        raise SystemExit(missing)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    return len(found) / wall, len(found) / cpu, delays


def by_call(uri: str, found: Sequence[Individual]) -> tuple[float, float]:
    """Return candidates a second and a CPU second with one call a value."""
    client = MlflowClient(uri)
    experiment = mlflow_store.experiment_id(client, uri, "by call")
    start, cpu = time.perf_counter(), time.process_time()
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
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    return len(found) / wall, len(found) / cpu


def main(number: int) -> None:
    """Print the table."""
    found = candidates(number)
    with tempfile.TemporaryDirectory() as folder:
        waiting = f"sqlite:///{folder}/wal.db"
        plain = f"sqlite:///{folder}/plain.db"
        *fast, delays = mirrored(waiting, found)
        (Path(folder) / "plain.db").touch()
        *slow, _ = mirrored(plain, found)
        slowest = by_call(plain, found[: max(3, number // 20)])
    micros = sorted(1e6 * delay for delay in delays)
    print(f"{number} candidates{'a second':>27} {'ratio':>6} {'a CPU second':>13} {'ratio':>6}")
    for name, (wall, cpu) in (
        ("evonas, SQLite in WAL mode", fast),
        ("evonas, SQLite as it comes", slow),
        ("one call a value, as it comes", slowest),
    ):
        ratios = wall / slowest[0], cpu / slowest[1]
        print(f"{name:32} {wall:8.1f} {ratios[0]:6.1f} {cpu:13.1f} {ratios[1]:6.1f}")
    print(
        f"delay of the search a candidate: median {statistics.median(micros):.1f} us, "
        f"99 of 100 below {micros[int(0.99 * (len(micros) - 1))]:.1f} us, "
        f"worst {micros[-1] / 1e3:.2f} ms"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
