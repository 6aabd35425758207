"""An ensemble within the trained state of a candidate: in the trainer's own part, by a prefix.

No genome describes the ensemble, so no edit may change it; and others have tensors in that part.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from evonas.state import TRAINER, State

_PREFIX = "ensemble."


def added(state: State, ensemble: State) -> State:
    """Return a candidate's state with that of its ensemble, in place of any."""
    part = without(state).part(TRAINER)
    named = _renamed(ensemble, lambda name: f"{_PREFIX}{name}")
    tensors = {**part.tensors, **named.tensors}
    slots = {
        slot: {**part.slots.get(slot, {}), **named.slots.get(slot, {})}
        for slot in {**part.slots, **named.slots}
    }
    return state.plus(TRAINER, State(tensors, slots))


def without(state: State) -> State:
    """Return a candidate's state as those who know of no ensemble wrote it."""
    rest = _renamed(state.part(TRAINER), lambda name: None if name.startswith(_PREFIX) else name)
    return state.plus(TRAINER, rest)


def of(state: State) -> State:
    """Return the state of a candidate's ensemble, empty if it has none."""
    return _renamed(
        state.part(TRAINER),
        lambda name: name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None,
    )


def _renamed(state: State, rename: Callable[[str], str | None]) -> State:
    """Return what `rename` has a name for, under that name."""

    def chosen(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {new: one for name, one in tensors.items() if (new := rename(name)) is not None}

    slots = {slot: found for slot, row in state.slots.items() if (found := chosen(row))}
    return State(chosen(state.tensors), slots)
