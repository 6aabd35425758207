"""Trained weights from a further parent, where they cannot change what the child computes."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from evonas.genome import Edit, Genome
from evonas.genome.members import members
from evonas.morph.influence import influential
from evonas.morph.naming import prefix
from evonas.morph.replay import translated
from evonas.state import State


def with_donations(
    child: Genome, first: Genome, state: State, donor: Genome, trained: State
) -> State:
    """Return the child's state with the donor's weights in layers that both have by one edit.

    Only layers that the output does not depend on yet, behind a gate or columns of zeros, take
    weights, so the child still computes what its first parent computes.

    Args:
        child: The child.
        first: The parent whose edits begin the child's.
        state: The child's state.
        donor: The other parent.
        trained: The donor's state.
    """
    origins = _origins(child, first, donor)
    tensors = dict(state.tensors)
    for name in child.architecture.keys() & donor.architecture.keys():
        here, there = prefix(child, name), prefix(donor, name)
        for node_id, twin in _idle_twins(child, donor, name, state, origins):
            given = _layer(trained.tensors, f"{there}{twin}.")
            taken = _layer(state.tensors, f"{here}{node_id}.")
            if _shapes(given) == _shapes(taken):
                dtypes = {key: tensor.dtype for key, tensor in taken.items()}
                moved = {key: tensor.to(dtypes[key]) for key, tensor in given.items()}
                tensors |= {f"{here}{node_id}.{key}": tensor for key, tensor in moved.items()}
    return replace(state, tensors=tensors)


def with_donated_members(child: Genome, state: State, donor: Genome, trained: State) -> State:
    """Return the child's state with the donor's weights for members that have none yet.

    They are those of a member of the donor with the very same network, of the same name if that
    one has it.

    Args:
        child: The child, in whose cohort members of the donor may have come over.
        state: The child's state.
        donor: The other parent.
        trained: The donor's state.
    """
    theirs = members(donor)
    for name, graph in members(child).items():
        twins = sorted((other != name, other) for other, one in theirs.items() if one == graph)
        if twins and not state.part(name).tensors:
            state = state.plus(name, trained.part(twins[0][1]))
    return state


def _origins(child: Genome, first: Genome, donor: Genome) -> Mapping[str, str]:
    """Return the ids of the child's edits that the donor has and `first` has not, and theirs."""
    known = {edit.id for edit in first.edits}
    theirs = [edit for edit in donor.edits if edit.id not in known]
    found: dict[str, str] = {}
    for edit in child.edits[len(first.edits) :]:
        renamed = {there: here for here, there in found.items()}
        for number, other in enumerate(theirs):
            if edit.id == other.id or _alike(edit, translated(other, first, renamed)):
                found[edit.id] = other.id
                theirs = theirs[number + 1 :]  # crossover keeps the order
                break
    return found


def _alike(edit: Edit, other: Edit) -> bool:
    return (edit.operator, edit.targets, edit.args) == (other.operator, other.targets, other.args)


def _idle_twins(
    child: Genome, donor: Genome, name: str, state: State, origins: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the child's new layers without influence, with their names in the donor."""
    graph = child.architecture[name]
    asked = influential(graph, prefix(child, name), state.tensors)
    found: list[tuple[str, str]] = []
    for node in graph.nodes:
        edit = node.local.rpartition("_")[2]
        if edit in origins and not asked[node.id].any():
            twin = node.id.replace(edit, origins[edit])
            if twin in donor.architecture[name]:
                found.append((node.id, twin))
    return found


def _layer(tensors: Mapping[str, Tensor], start: str) -> Mapping[str, Tensor]:
    """Return one layer's tensors by parameter."""
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }


def _shapes(tensors: Mapping[str, Tensor]) -> Mapping[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}
