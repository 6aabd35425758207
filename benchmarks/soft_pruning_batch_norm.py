"""Soft filter pruning in front of batch norms: what the cap on regrowth is there for.

A ResNet-8 (16, 32 and 64 channels) on noisy 8 x 8 digits, half of the channels pruned everywhere,
as the authors' code does it: those that sums tie together go together (`coupled`). In one arm only
those inside the blocks go (`inner`). An event every 72 steps (2 of 16 epochs). `sfp, published`
leaves gradients and momentum of pruned filters as they are; the others have the library's defaults:
a cap of once the kept filters' mean gradient, and momentum cleared at events. Batch norms are
re-estimated before every judgement, so stale statistics explain nothing. Accuracies are of test
data that decide nothing.

    python benchmarks/soft_pruning_batch_norm.py --seeds 5
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from course import followed
from ledger import add_options, recorded
from networks import resnet, with_genes
from paired import Contrast, contrast_table, summary
from pruned_training import Candidate, Recipe, noisy_digits

from evonas import seeds
from evonas.preset import Preset
from evonas_trainers.pruning.presets import Ghfp, Hfp, Sfp

EPOCHS, INTERVAL = 16, 72
_OURS: Mapping[str, Any] = {"interval": INTERVAL, "residual": "coupled"}
_PUBLISHED: Mapping[str, Any] = {**_OURS, "regrowth_cap": 0.0, "momentum_reset": False}
PRESETS: Mapping[str, Preset | None] = {
    "dense": None,
    "hfp": Hfp(**_OURS),
    "sfp, published": Sfp(**_PUBLISHED),
    "sfp": Sfp(**_OURS),
    "ghfp": Ghfp(**_OURS),
    "sfp, published, inner": replace(Sfp(**_PUBLISHED), residual="inner"),
}
CONTRASTS = (
    Contrast("final", "sfp", "sfp, published"),
    Contrast("final", "ghfp", "sfp, published"),
    Contrast("last_gap", "ghfp", "sfp, published"),
)
COLUMNS = {"revived": 1, "most_revived": 1, "final": 2, "gap": 2, "last_gap": 2}


def run(preset: Preset | None, ratio: float, seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed."""
    genome, task = resnet((1, 8, 8), (16, 32, 64), 1, 10, identity=False), noisy_digits(seed)
    if preset is not None:
        genome = with_genes(genome, preset.schedule(), ratio)
    candidate = Candidate.of(genome, task)
    return followed(candidate, task, Recipe(epochs=EPOCHS), 2 * INTERVAL)


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ratio", type=float, default=0.5, help="share of channels that goes")
    add_options(parser, seeds=5)
    options = parser.parse_args()
    arms = {name: partial(run, preset, options.ratio) for name, preset in PRESETS.items()}
    records = recorded(arms, options.seeds, options.record)
    print(f"{options.ratio:.0%} of the channels; accuracies and shares in percent")
    print(summary(records, arms, COLUMNS))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
