"""Learning from a finished teacher: logits, hints, attention, and a teacher assistant.

A student of three convolutions (4, 8 and 16 channels) and a teacher four times as wide, trained as
it is, on 400 noisy digits seen 80 times. All arms of a seed take the same steps with the same first
weights; `takd` shares them between assistant and student. The contrast was fixed before the runs.

    python benchmarks/cohort_offline.py --seeds 12
"""

from collections.abc import Mapping

from cohort_learners import SMALL, TEACHER, Learner, compare
from paired import Contrast

LEARNERS: Mapping[str, Learner] = {
    "plain": Learner(space=SMALL),
    **{
        name: Learner(space=SMALL, preset=name, teachers=TEACHER)
        for name in ("kd", "fitnet", "at", "takd")
    },
    "at, weight 1": Learner(space=SMALL, preset={"name": "at", "weight": 1.0}, teachers=TEACHER),
}
CONTRASTS = (Contrast("final", "kd", "plain"),)


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    compare(__doc__ or "", LEARNERS, CONTRASTS, count=12)


if __name__ == "__main__":
    main()
