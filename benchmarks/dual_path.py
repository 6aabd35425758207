"""Dual paths (DCIL) against the straight-through estimator, at equal epochs and at equal compute.

A ResNet-8 (16, 32 and 64 channels) on noisy 8 x 8 digits; 95 percent of all single weights go by a
cubic rate until three quarters of 16 epochs, masks are chosen anew every 8 steps. `static` gives
pruned weights no gradient, so what is pruned stays pruned. Judged after every epoch is the pruned
path as training leaves it, batch-norm statistics included, as the papers do. Volatility is the mean
change of accuracy from one epoch to the next in the second quarter, at the full learning rate;
accuracy is the mean of the last five epochs. CPU seconds are of the training alone. The contrasts
were fixed before the runs; accuracies are of test data that decide nothing.

    python benchmarks/dual_path.py --seeds 24
"""

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, final

from ledger import add_options, recorded
from networks import resnet, with_genes
from paired import Contrast, contrast_table, summary
from pruned_training import Candidate, Recipe, accuracy, noisy_digits, train

from evonas import seeds
from evonas.genome.schedule import Curve, Schedule
from evonas_trainers.pruning.sparse_presets import Dcil, Dpf

EPOCHS, INTERVAL, LAST = 16, 8, 5


@final
@dataclass(frozen=True)
class Arm:
    """A schedule, and for how many times the epochs of the others it trains."""

    schedule: Schedule
    times: int = 1


STRAIGHT = Dpf(interval=INTERVAL).schedule()
ARMS: Mapping[str, Arm] = {
    "straight-through": Arm(STRAIGHT),
    "straight-through, 2x": Arm(STRAIGHT, times=2),
    "static": Arm(replace(STRAIGHT, preset="", beta=Curve())),
    "dcil without kl": Arm(Dcil(interval=INTERVAL, kl_weight=0.0).schedule()),
    "dcil": Arm(Dcil(interval=INTERVAL).schedule()),
}
CONTRASTS = (
    Contrast("volatility", "dcil", "straight-through"),
    Contrast("accuracy", "dcil", "straight-through"),
    Contrast("volatility", "dcil", "straight-through, 2x"),
    Contrast("accuracy", "dcil", "straight-through, 2x"),
    Contrast("accuracy", "dcil", "dcil without kl"),
)
COLUMNS = {"accuracy": 2, "volatility": 2, "late_volatility": 2, "final": 2, "seconds": 1}


def run(arm: Arm, ratio: float, seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed."""
    genome, task = resnet((1, 8, 8), (16, 32, 64), 1, 10, identity=False), noisy_digits(seed)
    candidate = Candidate.of(with_genes(genome, arm.schedule, ratio), task)
    recipe = Recipe(epochs=EPOCHS * arm.times, milestones=(0.5, 0.75), decay=0.1)
    course: list[float] = []

    def look(_: int) -> None:
        course.append(accuracy(candidate.model, task, recalibrate=False))

    every = recipe.steps_an_epoch(task)
    seconds = train(candidate, task, recipe, every, look)
    quarter = recipe.epochs // 4
    return {
        "accuracy": statistics.mean(course[-LAST:]),
        "volatility": volatility(course[quarter - 1 : 2 * quarter]),
        "late_volatility": volatility(course[-quarter - 1 :]),
        "final": accuracy(candidate.model, task),
        "seconds": seconds,
        "course": course,
    }


def volatility(course: list[float]) -> float:
    """Return the mean change from one epoch to the next."""
    return statistics.mean(abs(after - before) for before, after in pairwise(course))


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ratio", type=float, default=0.95, help="share of weights that goes")
    add_options(parser, seeds=24)
    options = parser.parse_args()
    arms = {name: partial(run, arm, options.ratio) for name, arm in ARMS.items()}
    records = recorded(arms, options.seeds, options.record)
    print(f"{options.ratio:.0%} of the weights; accuracies in percent, CPU seconds")
    print(summary(records, arms, COLUMNS))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
