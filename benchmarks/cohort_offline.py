"""Learning from a finished teacher: logits, hints, attention, and a teacher assistant.

A student of three convolutions (4, 8 and 16 channels) and a teacher four times as wide, trained as
it is, on 400 noisy digits seen 80 times. All arms of a seed take the same steps with the same first
weights; `takd` shares them between assistant and student. The contrast was fixed before the runs.

    python benchmarks/cohort_offline.py --seeds 12
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cohort_training import SMALL, Digits, Learner, judged
from ledger import Arm, add_options, recorded
from paired import Contrast, contrast_table, summary

from evonas import seeds

TEACHER = {"teacher": {"width": 4.0}}
LEARNERS: Mapping[str, Learner] = {
    "plain": Learner(space=SMALL),
    **{
        name: Learner(space=SMALL, preset=name, teachers=TEACHER)
        for name in ("kd", "fitnet", "at", "takd")
    },
    "at, weight 1": Learner(
        space=SMALL, preset={"name": "at", "weight": 1.0}, teachers=TEACHER
    ),
}
CONTRASTS = (Contrast("final", "kd", "plain"),)


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser, seeds=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arms = {name: _arm(name, Path(folder)) for name in LEARNERS}
        records = recorded(arms, options.seeds, options.record)
    print("accuracy of the student on test data after the last step, percent")
    print(summary(records, arms, {"final": 2, "gigamacs": 1, "seconds": 1}))
    print(contrast_table(records, CONTRASTS, seeds.stream(0, "bootstrap")))


def _arm(name: str, folder: Path) -> Arm:
    return lambda seed: judged(LEARNERS[name], name, folder, Digits(seed=seed))


if __name__ == "__main__":
    main()
