"""Learning from a finished teacher: logits, hints, attention, and a teacher assistant.

A student of three convolutions (4, 8 and 16 channels) and a teacher four times as wide, trained as
it is, on 400 noisy digits seen 80 times. All arms of a seed take the same steps with the same first
weights; `takd` shares them between assistant and student. The contrast was fixed before the runs;
attention at weight 1 is an arm that was added when a seed with weight 8 had been seen.

    python benchmarks/cohort_offline.py --seeds 12
"""

from collections.abc import Mapping
from typing import Any

from cohort_learners import SMALL, TEACHER, Learner, compare
from paired import Contrast

PRESETS: Mapping[str, Any] = {
    "kd": "kd",
    "fitnet": "fitnet",
    "at, weight 8": {"name": "at", "weight": 8.0},
    "takd": "takd",
    "at, weight 1": {"name": "at", "weight": 1.0},
}
LEARNERS: Mapping[str, Learner] = {
    "plain": Learner(space=SMALL),
    **{name: Learner(space=SMALL, preset=one, teachers=TEACHER) for name, one in PRESETS.items()},
}
CONTRASTS = (Contrast("final", "kd", "plain"),)


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    compare(__doc__ or "", LEARNERS, CONTRASTS, count=12)


if __name__ == "__main__":
    main()
