"""The state a child is born with: its edits replayed on the trained weights of its parents."""

from collections.abc import Mapping, Sequence

from evonas.errors import EditError, unknown
from evonas.genome import Genome
from evonas.morph.always import ALWAYS
from evonas.morph.donate import with_donated_members, with_donations
from evonas.morph.following import edited
from evonas.morph.mutation import Mutation
from evonas.seeds import Rng
from evonas.state import TARGET, State


def inherit(
    mutations: Mapping[str, Mutation],
    child: Genome,
    parents: Sequence[tuple[Genome, State]],
    rng: Rng,
) -> State:
    """Return the child's state at birth.

    The first parent's state is mapped by the child's later edits, each of which draws from a stream
    of its own; target networks are mapped alike, with the same draws. Any further parent donates
    trained weights for layers that its own edits made, and for members of its cohort.

    Args:
        mutations: The operators, by name.
        child: The child.
        parents: Genomes and trained states.
        rng: Draws new weights.

    Raises:
        EditError: if the child does not stem from the first parent.
    """
    mutations = {**ALWAYS, **mutations}
    genome, state = parents[0]
    start = len(genome.edits)
    if child.edits[:start] != genome.edits:
        raise EditError("the child's edits do not begin with those of its first parent")
    seed = int(rng.integers(2**63))
    for edit in child.edits[start:]:
        if edit.operator not in mutations:
            raise unknown("mutation", edit.operator, mutations)
        mutation = mutations[edit.operator]
        after = mutation.apply(genome, edit)
        state = edited(mutation, genome, after, state, seed)
        genome = after
    if not _alike(genome, child):
        raise EditError("the child's edits do not lead from its first parent to its architecture")
    for donor, trained in parents[1:]:
        target = state.part(TARGET)
        state = with_donations(child, parents[0][0], state, donor, trained)
        state = with_donated_members(child, state, donor, trained)
        if target.tensors:
            given = with_donations(child, parents[0][0], target, donor, trained.part(TARGET))
            state = state.plus(TARGET, given)
    return state


def _alike(one: Genome, other: Genome) -> bool:
    """Return whether two genomes have the same graphs with the same names."""
    return {name: (graph.key, set(graph.by_id)) for name, graph in one.architecture.items()} == {
        name: (graph.key, set(graph.by_id)) for name, graph in other.architecture.items()
    }
