"""Edits of the cohort's genes: each holds the whole chromosome as it is afterwards.

So an edit is exact and can be replayed anywhere, whichever operator made it. The members' networks
are not in it: an operator that adds one says from whom it comes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from evonas.cohort_plan import SCAFFOLD
from evonas.errors import ConfigError, EditError
from evonas.genome import Edit, Genome, LayerGraph
from evonas.genome.cohort import CANDIDATE, COHORT_GENES, Cohort
from evonas.genome.members import members, with_members
from evonas.morph.cohort.check import check_networks, check_node, is_name
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.repair import repaired, with_cohort_of
from evonas.state import TRAINER, State

_ATTEMPTS = 4


def cohort_edit(genome: Genome, operator: str, cohort: Cohort, **args: Any) -> Edit:
    """Return the edit of `genome` that gives it these genes; `args` is what else it says."""
    return genome.edit(operator, COHORT_GENES, genes=cohort.to_json(), **args)


def proposed(
    genome: Genome, operator: str, options: CohortOptions, vary: Callable[[Cohort], Cohort]
) -> Edit | None:
    """Return the edit to another cohort that passes the checks, or None if there is none.

    Args:
        genome: What is edited; without a cohort, as one who learns from the labels alone.
        operator: Who edits it.
        options: What the search allows.
        vary: Draws genes, given those that are there; they are repaired. Raises `EditError` if
            there is nothing to vary.
    """
    try:
        before = repaired(genome, options)
    except EditError:
        return None
    present = _cohort_of(before)
    for _ in range(_ATTEMPTS):
        try:
            varied = vary(present)
        except EditError:
            return None
        found = _viable(before, varied, options)
        if found is not None and found != present:
            return cohort_edit(genome, operator, found)
    return None


def with_cohort(
    genome: Genome, edit: Edit, added: Mapping[str, LayerGraph] | None = None
) -> Genome:
    """Return the genome after an edit of its cohort.

    Whether its parts can be joined is not asked again: that depends on the search's options.

    Args:
        genome: What is edited.
        edit: Of which the genes are taken.
        added: Networks of members that come with it.

    Raises:
        EditError: if the edit is none, or its members are not there.
    """
    if edit.targets != (COHORT_GENES,):
        raise EditError(
            f"a cohort's genes have the target {COHORT_GENES!r}, given {edit.targets!r}"
        )
    check_networks(genome)
    cohort = _read(edit)
    graphs = {**members(genome), **(added or {})}
    after = with_cohort_of(with_members(genome, graphs), cohort)
    there = members(after)
    for name, node in cohort.nodes.items():
        if node.kind == "member" and name not in there:
            raise EditError(f"the member {name!r} has no network")
    return after.with_edit(edit)


def remaining(after: Genome, state: State) -> State:
    """Return the state without the parts of nodes that the cohort of `after` has not."""
    cohort = Cohort.of(after) or Cohort()
    parts = [*(name for name in cohort.nodes if name != CANDIDATE), SCAFFOLD, TRAINER]
    return state.joined({name: state.part(name) for name in parts})


def _viable(genome: Genome, varied: Cohort, options: CohortOptions) -> Cohort | None:
    """Return what repair makes of a cohort, or None if nothing can be made of it."""
    try:
        return _cohort_of(repaired(with_cohort_of(genome, varied), options))
    except EditError:
        return None


def _cohort_of(genome: Genome) -> Cohort:
    cohort = Cohort.of(genome)
    assert cohort is not None, "repair gives a cohort"
    return cohort


def _read(edit: Edit) -> Cohort:
    data: Any = edit.args.get("genes")
    try:
        cohort = Cohort.from_json(data)
        faithful = cohort.to_json() == data and all(edge.name for edge in cohort.edges)
        for name, node in cohort.nodes.items():
            check_node(name, node)
    except (AttributeError, ConfigError, KeyError, TypeError) as error:
        raise EditError(f"{data!r} holds no cohort: {error}") from None
    if not faithful or CANDIDATE not in cohort.nodes or not all(map(is_name, cohort.aggregators)):
        raise EditError(f"{data!r} is no cohort in its canonical form")
    return cohort
