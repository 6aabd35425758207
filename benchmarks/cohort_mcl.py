"""Mutual contrastive learning of two networks: what its batches, its contrasts and the rest add.

Two networks of three convolutions (4, 8 and 16 channels) on 400 noisy digits seen 80 times; judged
is the candidate, never the better of both. `batches` is a network alone on the batches that the
method draws; `vcl` and `icl` are the contrasts in a network and between the two; `mcl` is the whole
method with the soft terms and the mean logits. All take the same steps. Contrasts were fixed before
the runs.

    python benchmarks/cohort_mcl.py --seeds 24
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from cohort_learners import SMALL, Learner, compare
from paired import Contrast

from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import CANDIDATE, Cohort, Stage
from evonas_trainers.distillation.edges import end, task

_NO_MORE: Mapping[str, Any] = {"name": "mcl", "soft_vcl": 0.0, "soft_icl": 0.0, "logits": 0.0}
PRESETS: Mapping[str, Any] = {
    "plain": None,
    "batches": "cohort_mcl:Batches",
    "vcl": {**_NO_MORE, "icl": 0.0},
    "vcl + icl": _NO_MORE,
    "mcl": "mcl",
    "dml": "dml",
}
CONTRASTS = (Contrast("final", "mcl", "batches"), Contrast("final", "mcl", "vcl + icl"))


@final
@dataclass(frozen=True)
class Batches(CohortPreset):
    """The control: one network, on batches that hold two samples of every class."""

    paper: ClassVar[str] = "the control that shows what mutual contrastive learning's batches do"

    def cohort(self, available: Available) -> Cohort:  # noqa: ARG002 - a contract
        """Return one stage that learns from the labels."""
        stage = Stage(sampler={"name": "per-class", "count": 2})
        return Cohort(edges=(task(end(CANDIDATE)),), stages=(stage,))


def main() -> None:
    """Run all arms, seed by seed, and print the tables."""
    learners = {name: Learner(space=SMALL, preset=preset) for name, preset in PRESETS.items()}
    compare(__doc__ or "", learners, CONTRASTS, count=24)


if __name__ == "__main__":
    main()
