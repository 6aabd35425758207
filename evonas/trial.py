"""What a candidate's evaluation trains: the candidate, or the wider one it is pruned from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from evonas.errors import ConfigError, EditError
from evonas.genome import Genome
from evonas.genome.schedule import Schedule
from evonas.history import Failure
from evonas.morph.always import ALWAYS
from evonas.morph.compact import closed, opened
from evonas.morph.planned import planned
from evonas.pruning_plan import PruningPlan
from evonas.space import SearchSpace
from evonas.trainer import Trainer, check_rule


@final
@dataclass(frozen=True, eq=False)
class Trial:
    """One training.

    Attributes:
        genome: What is built and trained.
        plan: What the training prunes, if anything.
    """

    genome: Genome
    plan: PruningPlan | None


def trial(space: SearchSpace, genome: Genome, parent: Genome) -> Trial | Failure:
    """Find what is trained for a candidate; pruning genes that ask for what cannot be are failures.

    Args:
        space: Of the search.
        genome: The candidate's, as it was proposed.
        parent: Whose edits the candidate's own ones follow: its first parent, or the seed.

    Raises:
        EditError: if the candidate was born pruned and does not stem from this parent.
    """
    wide = opened(genome, parent, {**ALWAYS, **space.mutations()}) or genome
    try:
        assert closed(genome) is genome, "births are closed when they are proposed"
        return Trial(wide, planned(wide, space.build))
    except EditError as error:
        return Failure("infeasible", str(error))


def check_prunes(trainer: Trainer, schedules: Iterable[Schedule] = ()) -> None:
    """Check that a trainer can be asked to prune by some schedules.

    Raises:
        ConfigError: if it cannot.
    """
    if not trainer.prunes:
        raise ConfigError(
            f"trainer {type(trainer).__name__} does not prune, and the candidates have pruning "
            "genes; choose a trainer that does, or take [pruning] out of the run file"
        )
    for schedule in schedules:
        check_rule(trainer, schedule)
