"""Three depths of one network, trained together and apart: what the lessons of the whole add.

Residual networks of three stages (4, 8 and 16 channels) with 3, 2 or 1 blocks in each, on 400 noisy
digits seen 80 times. `alone` trains the three one after another; `joint` trains one network whose
sub-networks share its convolutions and have norms and last layers of their own; `ddnn` lets them
learn from the whole, too. All arms take the same steps. Contrasts were fixed before the runs.

    python benchmarks/cohort_depths.py --seeds 12
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cohort_learners import Digits, Learner, accuracy, cost
from ledger import Arm, add_options, recorded
from paired import Contrast, contrast_table, summary

from evonas import seeds

BLOCKS = {"depth1": 1, "depth2": 2, "full": 3}
MARGIN = 1.0
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "joint": {"name": "ddnn", "weight": 0.0, "attention": 0.0},
    "ddnn": {"name": "ddnn"},
}
CONTRASTS = (
    Contrast("depth1", "ddnn", "alone"),
    Contrast("depth2", "ddnn", "alone"),
    Contrast("full", "ddnn", "alone", MARGIN),
)
COLUMNS = {"full": 2, "depth2": 2, "depth1": 2, "gigamacs": 1, "seconds": 1}


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser, seeds=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arms = {"alone": _alone(Path(folder))}
        arms |= {name: _together(name, Path(folder)) for name in PRESETS}
        records = recorded(arms, options.seeds, options.record)
    print("accuracy on test data after the last step, percent")
    print(summary(records, arms, COLUMNS))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


def _alone(folder: Path) -> Arm:
    def run(seed: int) -> Mapping[str, float]:
        data = Digits(seed=seed).file(folder / str(seed))
        members = {
            name: Learner(space=_space(blocks)).trained(data, seed, name)
            for name, blocks in BLOCKS.items()
        }
        found = {name: accuracy(member) for name, member in members.items()}
        return {**found, **cost(*members.values())}

    return run


def _together(name: str, folder: Path) -> Arm:
    def run(seed: int) -> Mapping[str, float]:
        data = Digits(seed=seed).file(folder / str(seed))
        learner = Learner(space=_space(max(BLOCKS.values())), preset=PRESETS[name])
        member = learner.trained(data, seed, name)
        found = {one: accuracy(member, None if one == "full" else one) for one in BLOCKS}
        return {**found, **cost(member)}

    return run


def _space(blocks: int) -> Mapping[str, Any]:
    return {"name": "depths", "stages": 3, "blocks": blocks, "width": 4}


if __name__ == "__main__":
    main()
