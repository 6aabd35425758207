"""Searches for policies: what inherited weights are worth at equal steps of the environment.

Three arms take the same steps of CartPole-v1 with PPO, in births of the same length: a search whose
children inherit their parents' weights; the same search with every child trained from scratch; and
the seed trained on and on, every birth going on from the one before. What an arm has found is its
best by fitness among the births so far; it is judged in fresh episodes, whose seeds no selection
sees. The questions are asked at half of the births and at the end, and compared seed by seed.

    python benchmarks/policy_search.py
"""

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from inheritance import TrainOn
from paired import Contrast, Record, contrast_table, summary

from evonas import api, devices, seeds, store
from evonas.config import Run, from_table
from evonas.found import Found
from evonas.history import Evaluation
from evonas.models import trained_model
from evonas.trainer import Context

INHERITED, SCRATCH, LONGER = "search, inherited", "search, from scratch", "seed, trained longer"
ARMS = (INHERITED, SCRATCH, LONGER)
CONTRASTS = tuple(
    Contrast(metric, INHERITED, base)
    for base in (SCRATCH, LONGER)
    for metric in ("return, half", "return, end")
)
TABLE: dict[str, Any] = {
    "objectives": {"fitness": "max"},
    "tracker": "none",
    "executor": "serial",
    "lookahead": 1,
    "space": "policy",
    "controller": {"name": "eena", "population": 3, "controls": 0, "crossover_every": 0},
}


def arm_run(arm: str, seed: int, births: int, steps: int) -> Run:
    """Return the search as one arm runs it."""
    judging = {"times": 2, "episodes": 8}
    trainer = {"name": "ppo", "environment": "CartPole-v1", "steps": steps, "judging": judging}
    changes = {"births": births, "seed": seed, "trainer": trainer, "inherit": arm != SCRATCH}
    run = from_table({**TABLE, **changes}, "policies")
    return replace(run, controller=TrainOn()) if arm == LONGER else run


def measured(arm: str, seed: int, births: int, steps: int) -> Record:
    """Run one arm, and judge what it had found half way and at its end."""
    with tempfile.TemporaryDirectory() as folder:
        found = api.search(arm_run(arm, seed, births, steps), out=Path(folder))
        return {
            "arm": arm,
            "seed": seed,
            "steps": sum(one.outcome.cost.samples for one in found.history) / 1000,
            "fitness, end": best(found, births)[1].metrics["fitness"],
            "return, half": tested(found, births // 2),
            "return, end": tested(found, births),
        }


def best(found: Found, births: int) -> tuple[int, Evaluation]:
    """Return the best by fitness of so many births."""
    inside = [
        (one.number, one.outcome)
        for one in found.history
        if one.number < births and isinstance(one.outcome, Evaluation)
    ]
    return max(inside, key=lambda pair: (pair[1].metrics["fitness"], -pair[0]))


def tested(found: Found, births: int) -> float:
    """Return what fresh episodes return of the best of so many births, on average."""
    one = found.history.member(best(found, births)[0])
    prepared = store.load_prepared(found.folder)
    assert prepared is not None, "the search has prepared the environment"
    device = devices.best()
    seed = seeds.integer(found.run.seed, "policy search")
    context = Context(device, torch.float32, seed, prepared, None, lambda *_, **__: None)
    model = trained_model(found.run.space, found.folder, one).to(device)
    return found.run.trainer.test(model, context)["return"]


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--births", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4096, help="of one trial of a birth")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="two seeds of four short births")
    options = parser.parse_args()
    number, births, steps = options.seeds, options.births, options.steps
    if options.quick:
        number, births, steps = 2, 4, 512
    tasks = [(arm, seed, births, steps) for seed in range(number) for arm in ARMS]
    with ProcessPoolExecutor(options.workers) as pool:
        records: list[Record] = []
        for record in pool.map(measured, *zip(*tasks, strict=True)):
            records.append(record)
            print(record, flush=True)
    digits = {"steps": 1, "fitness, end": 3, "return, half": 1, "return, end": 1}
    print(f"{births} births of 2 trials of {steps} steps; steps in thousands, mean +- deviation")
    print(summary(records, ARMS, digits))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "intervals")))


if __name__ == "__main__":
    main()
