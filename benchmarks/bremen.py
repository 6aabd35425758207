"""BREMEN against behaviour cloning, and against starting without a clone (ME-TRPO).

Pendulum; an ensemble of 5 networks of 2 x 128, 20 epochs, a policy of 64-64, 500 steps of cloning,
trust 0.05 nats, 4000 imagined steps an iteration. Offline: 2000 steps of a scripted controller with
a trembling hand, 20 iterations, judged after each 5. By deployments: 5 of 1000 steps, 10 iterations
after each, judged after each. Arms of a seed share the data set or the environments' seeds, and the
first weights. Contrasts were fixed before the runs. Returns are of 8 episodes, acting by the mean.

    python benchmarks/bremen.py --seeds 3
    python benchmarks/bremen.py --quick
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from ledger import add_options, recorded
from paired import Contrast, contrast_table, summary

from evonas import seeds
from evonas.models import fresh_model
from evonas.trainer import Context
from evonas_spaces.policy import Policy
from evonas_trainers.reinforcement.bremen import Bremen
from evonas_trainers.reinforcement.cloning import Cloning
from evonas_trainers.reinforcement.dynamics.deterministic import Learning
from evonas_trainers.reinforcement.dynamics.fitting import Fitting
from evonas_trainers.reinforcement.scores import Judging

CPU = torch.device("cpu")
SPACE = Policy()
OFFLINE = Bremen(
    environment="Pendulum-v1",
    data="scripted",
    noise=1.5,
    steps=2000,
    trials=1,
    iterations=20,
    cloning=Cloning(steps=500, lr=3e-3),
    dynamics=Learning(fitting=Fitting(epochs=20, batch_size=256), lr=3e-3),
    judging=Judging(times=4, episodes=8),
)
DEPLOYED = replace(
    OFFLINE,
    data="deployed",
    steps=5000,
    deployments=5,
    iterations=10,
    judging=Judging(times=5, episodes=8),
)
TABLES: Mapping[str, tuple[Bremen, tuple[str, ...]]] = {
    "offline": (OFFLINE, ("after_5", "after_10", "after_15", "after_20")),
    "deployed": (DEPLOYED, tuple(f"deployment_{number}" for number in range(1, 6))),
}
"""By name: the full method, and what its evaluations are called."""


def arms_of(table: str) -> Mapping[str, Bremen]:
    """Return the full method and its ablations."""
    full = TABLES[table][0]
    return {
        f"bremen {table}": full,
        f"cloning {table}": replace(full, iterations=0),
        f"me-trpo {table}": replace(full, clone=False),
    }


def contrasts_of(table: str) -> list[Contrast]:
    """Return what is asked of a table."""
    names = TABLES[table][1]
    asked = (names[1], names[-1])
    return [
        Contrast(name, f"bremen {table}", f"{other} {table}")
        for other in ("cloning", "me-trpo")
        for name in asked
    ]


def run(trainer: Bremen, names: tuple[str, ...], seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed; return what it was judged to return, by the evaluation."""
    prepared = trainer.prepare(seed)
    model = fresh_model(SPACE, SPACE.seed(trainer.signatures(prepared)), seed)
    curve: list[float] = []

    def report(_: int, /, **metrics: float) -> None:
        curve.append(metrics["final_return"])

    trained = trainer.train(model, Context(CPU, torch.float32, seed, prepared, None, report))
    return {**trained.metrics, **dict(zip(names, curve, strict=True))}


def main() -> None:
    """Run all arms of both tables, seed by seed, and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--quick", action="store_true", help="a tenth, one seed: does it run?")
    add_options(parser, seeds=3)
    options = parser.parse_args()
    for table in options.tables:
        trainers = arms_of(table)
        if options.quick:
            options.seeds, options.record = 1, None
            trainers = {
                name: replace(one, steps=one.steps // 10, iterations=one.iterations // 10)
                for name, one in trainers.items()
            }
        names = TABLES[table][1]
        arms = {name: partial(run, trainer, names) for name, trainer in trainers.items()}
        records = recorded(arms, options.seeds, options.record)
        print(summary(records, arms, dict.fromkeys(names, 0)))
        print(contrast_table(records, contrasts_of(table), seeds.stream(0, table)))


if __name__ == "__main__":
    main()
