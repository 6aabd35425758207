"""Easy samples first: distillation in the student's own order, against pools of the same sizes.

A student of three convolutions and a teacher four times as wide on 400 noisy digits, with their
own labels and with 20 % of them wrong. After a quarter of the training on all samples, `easy` draws
from the third of every class that is easiest for the student, then from two thirds, then from all;
`hard` begins at the other end, and `random` has pools of the same sizes. All take the same steps by
the same learning rates. Contrasts were fixed before the runs.

    python benchmarks/cohort_curriculum.py --seeds 16
"""

from cohort_learners import SMALL, TEACHER, Learner, compare
from paired import Contrast

WRONG = {"": 0.0, ", 20 % wrong": 0.2}
ORDERS = ("random", "easy", "hard")
CONTRASTS = tuple(Contrast("final", f"easy{kind}", f"random{kind}") for kind in WRONG)


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    learners: dict[str, Learner] = {}
    for kind, wrong in WRONG.items():
        presets = {"uniform": {"name": "kd"}}
        presets |= {order: {"name": "curriculum", "order": order} for order in ORDERS}
        for name, preset in presets.items():
            learners[f"{name}{kind}"] = Learner(
                space=SMALL, preset=preset, teachers=TEACHER, wrong=wrong
            )
    compare(__doc__ or "", learners, CONTRASTS, count=16)


if __name__ == "__main__":
    main()
