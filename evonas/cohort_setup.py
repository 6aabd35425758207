"""What the table `[cohort]` comes to in a search: its teachers, the seed's cohort, refusals."""

from pathlib import Path

from evonas.aims import check_views
from evonas.cohorts import Cohorts
from evonas.config import Run
from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.genome.cohort import Cohort
from evonas.genome.members import NETWORK
from evonas.morph.cohort.options import CohortOptions
from evonas.networks import Signatures
from evonas.teaching import Told, make_teachers


def with_cohort(
    run: Run, folder: Path, seed: Genome, signatures: Signatures, told: Told
) -> tuple[Genome, CohortOptions]:
    """Return the seed with its cohort, and what cohorts may become; makes the teachers.

    Args:
        run: The run; it has a table for cohorts.
        folder: Its folder, in which the shared data are.
        seed: The seed genome.
        signatures: Of its network.
        told: Hears of the teachers.

    Raises:
        ConfigError: if a teacher or the preset does not do for this seed, data and run.
    """
    assert run.cohort is not None, "the caller has asked whether there are cohorts"
    _ = Cohorts.of(run.cohort, run.space, signatures, folder)
    _ = make_teachers(run, folder, seed.architecture[NETWORK], told)
    cohorts = Cohorts.of(run.cohort, run.space, signatures, folder)
    seed = cohorts.seed(seed)
    cohort = Cohort.of(seed)
    assert cohort is not None, "the seed has just got one"
    if run.pruning is not None and any(node.kind == "view" for node in cohort.nodes.values()):
        raise ConfigError(
            "a cohort with views is not pruned: a view has norms of its own, whose channels would"
            " have to go with the candidate's; leave out [pruning], or choose another preset"
        )
    if run.pruning is not None and cohort.bilevel is not None:
        raise ConfigError(
            "a cohort that learns by virtual steps is not pruned: these know nothing of pruned"
            " weights; leave out [pruning], or choose another preset"
        )
    check_views((*run.objectives, *run.limits), cohort.readout[1:])
    if reason := cohorts.refusal(seed, run.trainer):
        raise ConfigError(f"the cohort of preset {cohort.preset!r}: {reason}")
    return seed, cohorts.options(cohort, run.trainer)
