"""What a trainer is lent to train a candidate in its cohort.

The engine makes the plan from the cohort's genes and lends it in `Context.cohort`; the trainer runs
the programme of stages, and returns with the candidate's state those of all that trained beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from torch import Tensor, nn

from evonas.genome.cohort import Cohort
from evonas.genome.cohort_kinds import Tap
from evonas.state import LEADER, TARGET, TRAINER

SCAFFOLD = "scaffold"
"""The part of a state that holds adapters, heads and aggregators; no node may have this name."""

PARTS_OF_NO_NODE = frozenset({SCAFFOLD, TARGET, LEADER, TRAINER})
"""Names that no node may have."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class CohortPlan:
    """The cohort of one training.

    Attributes:
        cohort: The genes, checked.
        networks: By node, on the device, with their weights: members, teachers, views (whose shared
            parameters are the very objects of the network they are of) and snapshots (whose weights
            the training sets). The candidate is not among them. All map a tensor to a tensor.
        taps: By node, the candidate included: the places that edges and aggregators may read.
        macs: By node, the candidate included: of a forward pass of one sample.
        kept: By node: the names of the tensors that are part of the trained state. Of a view these
            are those of its own; of teachers and snapshots none are.
        scaffold: Inherited tensors of adapters, heads and aggregators, by name; they are used where
            names and shapes still fit.
    """

    cohort: Cohort
    networks: Mapping[str, nn.Module]
    taps: Mapping[str, Mapping[str, Tap]]
    macs: Mapping[str, float]
    kept: Mapping[str, frozenset[str]]
    scaffold: Mapping[str, Tensor] = field(default_factory=dict)
