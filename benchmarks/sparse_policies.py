"""Dense, dynamic and static networks at half of the weights, learning Pendulum by TD3 (DS-TD3).

Actor and critics have two hidden layers of 64 units; `dynamic` and `static` have half of the
weights of each. Connections move every 500 updates, where the paper has 1000 and much longer
trainings; 7000 steps, of which the first 500 are random. A seed gives all arms the same dense
weights to begin with, and both sparse ones the same connections. `area` is the mean return of 14
evaluations, `last` that of the last two; `test` is of 20 episodes by which nothing was chosen.
`--long` is HalfCheetah, two layers of 256, 12 000 steps.

    python benchmarks/sparse_policies.py --seeds 6
"""

import argparse
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import torch
from ledger import add_options, recorded
from networks import with_genes
from paired import Contrast, contrast_table, summary

from evonas import seeds
from evonas.genome.schedule import Schedule
from evonas.models import fresh_model
from evonas.morph.planned import planned
from evonas.trainer import Context
from evonas_spaces.mlp import Mlp
from evonas_trainers.pruning.policy_presets import DsTd3
from evonas_trainers.reinforcement.descent import AdamSettings
from evonas_trainers.reinforcement.off_policy import Collecting
from evonas_trainers.reinforcement.scores import Judging, num_weights
from evonas_trainers.reinforcement.td3 import Td3
from evonas_trainers.reinforcement.td3_learner import Td3Settings

LAST = 2
SHARE = 0.5


@final
@dataclass(frozen=True)
class Task:
    """What is learned.

    Attributes:
        trainer: And how.
        hidden: Units of a hidden layer.
        interval: Updates from one exchange of connections to the next.
    """

    trainer: Td3
    hidden: int
    interval: int

    @property
    def arms(self) -> Mapping[str, Schedule | None]:
        """What is compared: schedules by which connections move, or all there."""
        return {
            "dense": None,
            "dynamic": DsTd3(interval=self.interval).schedule(),
            "static": DsTd3(interval=self.interval, fraction=0.0).schedule(),
        }


def task(name: str, steps: int, start_steps: int, hidden: int, interval: int) -> Task:
    """Return a task with the paper's numbers for all else."""
    trainer = Td3(
        environment=name,
        steps=steps,
        trials=1,
        judging=Judging(times=steps // 500, episodes=5),
        collecting=Collecting(start_steps=start_steps, batch_size=100),
        learning=Td3Settings(adam=AdamSettings(lr=1e-3, weight_decay=2e-4)),
    )
    return Task(trainer, hidden, interval)


PENDULUM = task("Pendulum-v1", 7_000, 500, 64, 500)
CHEETAH = task("HalfCheetah-v5", 12_000, 1_000, 256, 1_000)
QUICK = task("Pendulum-v1", 1_500, 500, 32, 100)


def run(task: Task, schedule: Schedule | None, seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed."""
    trainer, space = task.trainer, Mlp(hidden=task.hidden, layers=2)
    prepared = trainer.prepare(0)
    genome = space.seed(trainer.signatures(prepared))
    model, plan = fresh_model(space, genome, seed), None
    if schedule is not None:
        plan = planned(with_genes(genome, schedule, SHARE), space.build)
    curve: list[float] = []

    def look(_: int, /, **metrics: float) -> None:
        curve.append(metrics["final_return"])

    context = Context(torch.device("cpu"), torch.float32, seed, prepared, None, look, plan)
    start = time.process_time()
    trainer.train(model, context)
    seconds = time.process_time() - start
    tested = replace(context, seed=seeds.integer(seed, "benchmark"))
    return {
        "area": statistics.mean(curve),
        "last": statistics.mean(curve[-LAST:]),
        "test": trainer.test(model, tested)["return"],
        "weights": num_weights(model),
        "seconds": seconds,
        "curve": curve,
    }


CONTRASTS = tuple(
    Contrast(metric, arm, base)
    for metric in ("area", "last")
    for arm, base in (("dynamic", "dense"), ("dynamic", "static"), ("static", "dense"))
)
COLUMNS = {"area": 0, "last": 0, "test": 0, "weights": 0, "seconds": 1}


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="a minute, to see that it runs")
    which.add_argument("--long", action="store_true", help="HalfCheetah")
    add_options(parser, seeds=6)
    options = parser.parse_args()
    chosen = QUICK if options.quick else CHEETAH if options.long else PENDULUM
    arms = {name: partial(run, chosen, schedule) for name, schedule in chosen.arms.items()}
    records = recorded(arms, options.seeds, options.record)
    print(f"{chosen.trainer.environment}, {chosen.trainer.steps} steps; returns, CPU seconds")
    print(summary(records, arms, COLUMNS))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
