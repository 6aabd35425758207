"""What trains beside a candidate: networks and scaffolding, and which of their tensors are kept."""

from collections.abc import Mapping, Set as AbstractSet

from torch import nn

from evonas.cohort_plan import SCAFFOLD, CohortPlan
from evonas.genome.cohort import CANDIDATE
from evonas.state import State
from evonas_trainers.distillation.learning.scaffold import Scaffold


def companions(
    plan: CohortPlan, scaffold: Scaffold
) -> Mapping[str, tuple[nn.Module, AbstractSet[str]]]:
    """Return what trains beside the candidate, and the names of the tensors that are kept of it."""
    nodes = {
        node: (plan.networks[node], kept)
        for node, kept in plan.kept.items()
        if kept and node != CANDIDATE
    }
    return {**nodes, SCAFFOLD: (scaffold.modules, scaffold.modules.state_dict().keys())}


def fitting(state: State, module: nn.Module) -> State:
    """Return the part of a state whose tensors a module still has, in their shapes."""
    own = module.state_dict()
    fits = {n for n, one in state.tensors.items() if n in own and own[n].shape == one.shape}
    return chosen(state, fits)


def chosen(state: State, names: AbstractSet[str]) -> State:
    """Return the tensors and slots of these names."""
    slots = {
        slot: {name: value for name, value in values.items() if name in names}
        for slot, values in state.slots.items()
    }
    return State({name: one for name, one in state.tensors.items() if name in names}, slots)
