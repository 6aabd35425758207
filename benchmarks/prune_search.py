"""Pruning ratios and schedules that a search finds, against those that need no search.

    python benchmarks/prune_search.py digits --seeds 10
    python benchmarks/prune_search.py fashion-mnist --seeds 5 --packed FOLDER

For every seed one network is trained; all arms prune this one, to the same MACs, in trainings that
are equally long. What an arm found best by validation error is trained on, `REPLICATES` times, and
judged on the test data, once. Every search is an ordinary one, of a table as in a run file.

- `search`: keep-counts and schedule evolve together (NSGA-II on one objective, error);
- `random`: as many candidates of the same space, drawn at random;
- `legr`: as many of LeGR's rankings, evolved, with one schedule;
- `uniform`: one candidate, in which all layers keep one share, gradually hard pruning;
- `l1`: one candidate, in which all layers keep one share, the smallest L1 norms gone at once;
- `l1, longer`: the same, then trained on for as many samples as a search costs;
- `scratch`: the uniform network from fresh weights, for as many epochs as the others have had;
- `dense`: what all were pruned from, trained on just as long: not at the same MACs.
"""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from ledger import add_options, recorded
from paired import Contrast, contrast_table, summary

from evonas import api, devices, models, plugins, seeds, store
from evonas.api import Found
from evonas.candidate import Evaluator
from evonas.executors.executor import Job
from evonas.genome import FINAL, Birth
from evonas.genome.pruning import PruningGenes
from evonas.history import Evaluation, Individual
from evonas.trainer import Context

SHARE = 0.4
REPLICATES = 2
PRESETS = ("ghfp", "hfp", "sfp", "asfp", "srfp", "asrfp")


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """What is pruned, and how long.

    Attributes:
        trainer: Of everything.
        space: Of the network.
        dense_epochs: Of the network that all start from.
        epochs: Of a candidate, and of the last training.
        births: Of a search, of which the first is the network itself, trained on.
        interval: Steps from one event of pruning to the next.
    """

    trainer: Mapping[str, Any]
    space: Mapping[str, Any]
    dense_epochs: int
    epochs: int
    births: int
    interval: int

    @property
    def total_epochs(self) -> int:
        """What a finalist has had: the network's, candidate 0's, its own, the last training's."""
        return self.dense_epochs + 3 * self.epochs


TASKS = {
    "digits": Task(
        trainer={"data": "digits", "valid_ratio": 0.2, "test_ratio": 0.5, "batch_size": 32},
        space={"stem": 8, "width": 16, "last": 32},
        dense_epochs=12,
        epochs=6,
        births=12,
        interval=8,
    ),
    "fashion-mnist": Task(
        trainer={
            "data": "fashion-mnist",
            "valid_ratio": 0.05,
            "train_samples": 1_500,
            "batch_size": 32,
        },
        space={"stem": 8, "width": 12, "last": 24},
        dense_epochs=6,
        epochs=2,
        births=10,
        interval=16,
    ),
}
RATE = 0.1
"""Of all trainings: of 0.02, 0.05 and 0.1 the best for the arm `l1` with four other seeds."""

CONTRASTS = [
    Contrast("test error", "search", base)
    for base in ("uniform", "random", "legr", "l1", "l1, longer", "scratch")
]


def trainer_table(task: Task, packed: str | None, epochs: int) -> dict[str, Any]:
    """Return the `[trainer]` of a training that brings the learning rate down to zero."""
    where = {} if packed is None else {"packed": packed}
    optimizer = {"optimizer": {"lr": RATE}, "schedule": "anneal"}
    return {"name": "supervised", **task.trainer, **where, **optimizer, "epochs": epochs}


def arm_table(task: Task, arm: str) -> dict[str, Any]:
    """Return the keys of an arm's run file that are its own."""

    def preset(name: str, **fields: Any) -> dict[str, Any]:
        return {"name": name, "interval": task.interval, **fields}

    target = {"target": {"macs": SHARE}}
    presets = {"presets": [preset(name) for name in PRESETS]}
    population = {"population": max(4, task.births // 3), "first_edits": 1}
    one_edit = {"name": "random", "max_edits": 1}
    match arm:
        case "search":
            controller = {"name": "nsga2", **population}
            return {"births": task.births, "controller": controller, "pruning": target | presets}
        case "random":
            pruning = {**target, **presets, "operators": ["prune"]}
            return {"births": task.births, "controller": one_edit, "pruning": pruning}
        case "legr":
            controller = {"name": "aging", "tournament": 3, **population}
            pruning = {**target, "preset": preset("hfp"), "ratios": "affine"}
            return {"births": task.births, "controller": controller, "pruning": pruning}
        case _:
            chosen = preset("hfp", criterion="l1") if arm == "l1" else preset("ghfp")
            pruning = {**target, "preset": chosen, "ratios": "uniform", "operators": ["prune"]}
            return {"births": 2, "controller": one_edit, "pruning": pruning}


def found_by(task: Task, arm: str, seed: int, folder: Path, packed: str | None) -> Found:
    """Return an arm's search, which is run if it has not been."""
    always = {"seed": seed, "lookahead": 1, "objectives": {"error": "min"}, "tracker": "none"}
    always |= {"executor": "serial", "durability": "flush"}
    dense = {
        **always,
        "births": 1,
        "space": {"name": "eena", "preset": "none", **task.space},
        "trainer": trainer_table(task, packed, task.dense_epochs),
        "controller": "random",
    }
    _ = api.search(dense, out=folder / "dense")
    adopted = {
        **always,
        "space": {
            "name": "adopted",
            "network": "evonas.api:trained_network",
            "arguments": {"run": str(folder / "dense")},
            "operators": [],
        },
        "trainer": trainer_table(task, packed, task.epochs),
    }
    return api.search({**adopted, **arm_table(task, arm)}, out=folder / arm)


def finalist(found: Found, most_macs: float) -> tuple[Individual, Evaluation]:
    """Return the best by validation error, at equal errors by loss, within the MACs."""
    inside = [
        (one, outcome)
        for one, outcome in found.history.evaluated()
        if outcome.metrics["macs"] <= most_macs
    ]
    return min(inside, key=lambda pair: (pair[1].metrics["error"], pair[1].metrics["loss"]))


def tested(found: Found, one: Individual, number: int) -> float:
    """Return the test error in percent of a trained individual."""
    trainer = plugins.with_settings(found.run.trainer, one.birth.genome.settings)
    model = models.trained_model(found.run.space, found.folder, one)
    return 100 * trainer.test(model, context(found, number))["error"]


def trained_on(found: Found, best: Individual, weights: str, epochs: int, number: int) -> float:
    """Return the test error in percent after the last training."""
    genome = best.birth.genome.with_settings({"epochs": epochs})
    seed = seeds.integer(found.run.seed, "last", number)
    birth = Birth(genome, FINAL, (best.number,), seed)
    evaluate = Evaluator.of(found.run, found.folder)
    job = Job(best.number, birth, [(best.birth.genome, weights)])
    return tested(found, Individual(best.number, birth, evaluate(job, lambda _: None)), number)


def from_scratch(found: Found, best: Individual, epochs: int, number: int) -> float:
    """Return the test error in percent of the same network, trained from fresh weights."""
    trainer = plugins.with_settings(found.run.trainer, {"epochs": epochs})
    there = context(found, number)
    model = models.fresh_model(found.run.space, best.birth.genome, there.seed)
    trainer.train(model.to(there.device), there)
    return 100 * trainer.test(model, there)["error"]


def context(found: Found, number: int) -> Context:
    """Return what a training or a test is lent."""
    prepared = store.load_prepared(found.folder)
    assert prepared is not None, "the search has prepared the data"
    seed, device = seeds.integer(found.run.seed, "last", number), devices.best()
    return Context(device, torch.float32, seed, prepared, None, lambda *_, **__: None)


def measured(
    task: Task, arm: str, folder: Path, packed: str | None, seed: int
) -> Mapping[str, Any]:
    """Run an arm with one seed, and judge what it found."""
    run = {"l1, longer": "l1", "scratch": "uniform", "dense": "uniform"}.get(arm, arm)
    found = found_by(task, run, seed, folder / f"seed{seed}", packed)
    first, start = found.history.evaluated()[0]
    best, outcome = (
        (first, start) if arm == "dense" else finalist(found, SHARE * start.metrics["macs"])
    )
    longer = task.epochs * {"dense": 2, "l1, longer": task.births - 1}.get(arm, 1)
    errors = [
        from_scratch(found, best, task.total_epochs, number)
        if arm == "scratch"
        else trained_on(found, best, outcome.weights, longer, number)
        for number in range(REPLICATES)
    ]
    genes = PruningGenes.of(best.birth.genome)
    return {
        "test error": float(np.mean(errors)),
        "errors": errors,
        "validation error": 100 * outcome.metrics["error"],
        "candidates": len(found.history) - 1,
        "MACs": outcome.metrics["macs"] / start.metrics["macs"],
        "search seconds": sum(one.outcome.cost.seconds for one in found.history),
        "preset": "" if genes is None else genes.schedule.preset,
        "widths": widths(best),
    }


def widths(one: Individual) -> Mapping[str, int]:
    """Return how many channels each layer of an individual makes."""
    graph = one.birth.genome.architecture["net"]
    return {node.id: node.params["out"] for node in graph.nodes if "out" in node.params}


def main() -> None:
    """Run what is not recorded yet, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--packed", help="folder of packed data sets")
    parser.add_argument(
        "--runs", type=Path, help="folder of the searches: continued if it is there"
    )
    parser.add_argument("--births", type=int, help="of a search")
    add_options(parser, 5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    task = TASKS[given.task]
    task = replace(task, births=given.births or task.births)
    arms = ("search", "random", "legr", "uniform", "l1", "l1, longer", "scratch", "dense")
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.runs or Path(scratch)) / given.task
        ways = {arm: partial(measured, task, arm, folder, given.packed) for arm in arms}
        records = recorded(ways, given.seeds, given.record)
    digits = {"candidates": 0, "validation error": 2, "test error": 2, "MACs": 3}
    print(summary(records, arms, {**digits, "search seconds": 0}))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
