"""Soft filter pruning and its relatives without batch norm: who settles sooner, what a mask hides.

Three convolutions (16, 32 and 64 channels, GELU) on noisy 8 x 8 digits, every layer pruned alike,
an event every 72 steps (2 of 32 epochs), as the papers describe their methods: no cap on regrowth,
no reset of momentum. All arms of a seed share split, noise, first weights and order of batches, and
end with the same small network. Contrasts were fixed before the runs; accuracies are of test data
that decide nothing.

    python benchmarks/soft_pruning.py --seeds 20
    python benchmarks/soft_pruning.py --seeds 10 --ratio 0.4 --arms sfp asrfp ghfp-sfp ghfp-asrfp
"""

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Any

from course import followed
from ledger import add_options, recorded
from networks import plain, with_genes
from paired import Contrast, contrast_table, summary
from pruned_training import Candidate, Recipe, noisy_digits

from evonas import seeds
from evonas.preset import Preset
from evonas_trainers.pruning.presets import Asfp, Asrfp, Ghfp, Hfp, Sfp, Srfp

INTERVAL = 72
MARGIN = 0.75
_LITERAL: Mapping[str, Any] = {"interval": INTERVAL, "regrowth_cap": 0.0, "momentum_reset": False}

PRESETS: Mapping[str, Preset | None] = {
    "dense": None,
    "hfp": Hfp(interval=INTERVAL),
    "sfp": Sfp(**_LITERAL),
    "asfp": Asfp(**_LITERAL),
    "srfp": Srfp(**_LITERAL),
    "asrfp": Asrfp(**_LITERAL),
    "ghfp-sfp": Ghfp(base="sfp", **_LITERAL),
    "ghfp-asrfp": Ghfp(base="asrfp", **_LITERAL),
}
CONTRASTS = (
    Contrast("settled", "ghfp-sfp", "sfp"),
    Contrast("gap", "ghfp-sfp", "sfp"),
    Contrast("settled", "ghfp-asrfp", "asrfp"),
    Contrast("gap", "ghfp-asrfp", "asrfp"),
    Contrast("auc", "srfp", "sfp"),
    Contrast("auc", "asrfp", "asfp"),
    Contrast("final", "srfp", "sfp", MARGIN),
    Contrast("final", "asrfp", "asfp", MARGIN),
)
COLUMNS = {"revived": 2, "most_revived": 1, "final": 2, "auc": 1, "settled": 1, "gap": 2}


def run(preset: Preset | None, ratio: float, seed: int) -> Mapping[str, Any]:
    """Train one arm with one seed."""
    genome, task = plain((1, 8, 8), (16, 32, 64), 10), noisy_digits(seed)
    if preset is not None:
        genome = with_genes(genome, preset.schedule(), ratio)
    candidate = Candidate.of(genome, task)
    return followed(candidate, task, Recipe(), INTERVAL)


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ratio", type=float, default=0.6, help="share of channels that goes")
    parser.add_argument("--arms", nargs="+", choices=PRESETS, default=list(PRESETS))
    add_options(parser, seeds=20)
    options = parser.parse_args()
    arms = {name: partial(run, PRESETS[name], options.ratio) for name in options.arms}
    records = recorded(arms, options.seeds, options.record)
    print(f"{options.ratio:.0%} of the channels; accuracies and shares in percent, epochs")
    print(summary(records, arms, COLUMNS))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


if __name__ == "__main__":
    main()
