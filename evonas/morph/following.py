"""One edit on a state: target networks are mapped as the candidate is that they follow."""

from evonas import seeds
from evonas.genome import Genome
from evonas.morph.mutation import Mutation
from evonas.state import LEADER, TARGET, State


def edited(mutation: Mutation, before: Genome, after: Genome, state: State, seed: int) -> State:
    """Return the state after one edit, with the same draws and choices for its target networks.

    Args:
        mutation: Whose edit it is.
        before: The genome that the state is of.
        after: The genome with the edit on its record.
        state: Of `before`.
        seed: The edit draws from a stream of its own under it.
    """
    edit = after.edits[-1]
    mapped = mutation.inherit(before, after, edit, state, seeds.stream(seed, edit.id))
    target = state.part(TARGET)
    if not target.tensors:
        return mapped
    led = target.plus(LEADER, State(state.own.tensors))
    followed = mutation.inherit(before, after, edit, led, seeds.stream(seed, edit.id))
    return mapped.plus(TARGET, followed.own)
