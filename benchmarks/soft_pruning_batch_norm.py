"""Soft filter pruning in front of batch norms: what the cap on regrowth is there for.

A ResNet-8 (16, 32 and 64 channels) on noisy 8 x 8 digits, half of the channels inside the blocks
pruned, an event every 72 steps (2 of 32 epochs). `sfp, published` leaves gradients and momentum of
pruned filters as they are; `sfp`, `ghfp` have the library's defaults: a cap of once the kept
filters' mean gradient, and momentum cleared at events. Batch norms are re-estimated before every
judgement, so stale statistics explain nothing. Accuracies are of test data that decide nothing.

    python benchmarks/soft_pruning_batch_norm.py --seeds 8
"""

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Any

from course import followed
from ledger import add_options, recorded
from networks import resnet, with_channels
from paired import Contrast, contrast_table, summary
from pruned_training import Candidate, Recipe, noisy_digits

from evonas import seeds
from evonas.preset import Preset
from evonas_trainers.pruning.presets import Ghfp, Hfp, Sfp

INTERVAL = 72
PRESETS: Mapping[str, Preset | None] = {
    "dense": None,
    "hfp": Hfp(interval=INTERVAL),
    "sfp, published": Sfp(interval=INTERVAL, regrowth_cap=0.0, momentum_reset=False),
    "sfp": Sfp(interval=INTERVAL),
    "ghfp": Ghfp(interval=INTERVAL),
}
CONTRASTS = (
    Contrast("final", "sfp", "sfp, published"),
    Contrast("final", "ghfp", "sfp, published"),
    Contrast("last_gap", "ghfp", "sfp, published"),
)
COLUMNS = {"revived": 1, "most_revived": 1, "final": 2, "auc": 1, "gap": 2, "last_gap": 2}


def run(preset: Preset | None, ratio: float, seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed."""
    genome, task = resnet((1, 8, 8), (16, 32, 64), 1, 10, identity=False), noisy_digits(seed)
    if preset is not None:
        genome = with_channels(genome, preset.schedule(), ratio)
    candidate = Candidate.of(genome, seed, task.device)
    return followed(candidate, task, Recipe(), seed, INTERVAL)


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ratio", type=float, default=0.5, help="share of channels that goes")
    add_options(parser, seeds=8)
    options = parser.parse_args()
    arms = {name: partial(run, preset, options.ratio) for name, preset in PRESETS.items()}
    records = recorded(arms, options.seeds, options.record)
    print(f"{options.ratio:.0%} of the channels; accuracies and shares in percent")
    print(summary(records, arms, COLUMNS))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
