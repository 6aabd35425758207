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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

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


@final
@dataclass(frozen=True)
class Setting:
    """How long births are, and what the searches start from."""

    births: int
    steps: int
    width: int
    layers: int
    population: int
    controls: int


SETTINGS = {
    "long": Setting(births=8, steps=4096, width=64, layers=2, population=3, controls=0),
    "short": Setting(births=16, steps=1024, width=16, layers=1, population=4, controls=1),
    "quick": Setting(births=4, steps=512, width=16, layers=1, population=2, controls=0),
}


def arm_run(arm: str, seed: int, setting: Setting) -> Run:
    """Return the search as one arm runs it."""
    width, layers = setting.width, setting.layers
    table = {
        "births": setting.births,
        "seed": seed,
        "objectives": {"fitness": "max"},
        "inherit": arm != SCRATCH,
        "tracker": "none",
        "executor": "serial",
        "lookahead": 1,
        "space": {
            "name": "policy",
            "actor_width": width,
            "actor_layers": layers,
            "critic_width": width,
            "critic_layers": layers,
        },
        "trainer": {
            "name": "ppo",
            "environment": "CartPole-v1",
            "steps": setting.steps,
            "judging": {"times": 2, "episodes": 8},
        },
        "controller": {
            "name": "eena",
            "population": setting.population,
            "controls": setting.controls,
            "crossover_every": 0,
        },
    }
    run = from_table(table, "policies")
    return replace(run, controller=TrainOn()) if arm == LONGER else run


def measured(arm: str, seed: int, setting: Setting) -> Record:
    """Run one arm, and judge what it had found half way and at its end."""
    with tempfile.TemporaryDirectory() as folder:
        found = api.search(arm_run(arm, seed, setting), out=Path(folder))
        return {
            "arm": arm,
            "seed": seed,
            "steps": sum(one.outcome.cost.samples for one in found.history) / 1000,
            "fitness, end": best(found, setting.births)[1].metrics["fitness"],
            "return, half": tested(found, setting.births // 2),
            "return, end": tested(found, setting.births),
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
    parser.add_argument("--setting", choices=SETTINGS, default="long")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="two seeds of the setting 'quick'")
    options = parser.parse_args()
    number = 2 if options.quick else options.seeds
    setting = SETTINGS["quick" if options.quick else options.setting]
    tasks = [(arm, seed, setting) for seed in range(number) for arm in ARMS]
    with ProcessPoolExecutor(options.workers) as pool:
        records: list[Record] = []
        for record in pool.map(measured, *zip(*tasks, strict=True)):
            records.append(record)
            print(record, flush=True)
    digits = {"steps": 1, "fitness, end": 3, "return, half": 1, "return, end": 1}
    print(f"{setting}; two trials a birth; steps in thousands, mean +- deviation")
    print(summary(records, ARMS, digits))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "intervals")))


if __name__ == "__main__":
    main()
