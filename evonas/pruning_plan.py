"""What a trainer is told to prune: the channels that go together, how many stay, by which schedule.

The engine makes the plan from the pruning genes and lends it in `Context.pruning`; the trainer
prunes while it trains, then has the network rebuilt without what was pruned, and judges that one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from evonas.genome.schedule import Schedule
from evonas.state import State

Places = NDArray[np.int64]
"""Where the channels of a group are in a tensor, (size, places a channel)."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PlannedGroup:
    """Interchangeable channels, of which the best are kept.

    A mirrored block is a group of its own.

    Attributes:
        name: Of the gene, as in `evonas.genome.pruning`.
        size: How many channels there are.
        keep: How many stay, at least 1.
        weights: Tensors whose rows make the channels (of convolutions and linear layers), by
            parameter name; what the criterion looks at.
        rows: All tensors with rows of these channels, `weights` included: biases, batch norms,
            scales, depthwise convolutions. Running statistics are left out.
        norms: The scales of batch norms among `rows`.
        columns: Weights that read the channels: the places along dimension 1.
    """

    name: str
    size: int
    keep: int
    weights: Mapping[str, Places]
    rows: Mapping[str, Places]
    norms: tuple[str, ...]
    columns: Mapping[str, Places]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PruningPlan:
    """What to prune, and how.

    Attributes:
        schedule: How it goes on.
        groups: The channels that are pruned together; empty if single weights are pruned.
        weights: For single weights: how many stay of each tensor, by parameter name.
        compacted: Returns the network rebuilt without the weakest channels, ready to be judged once
            batch-norm statistics are measured anew, and its state, from the state of the pruned
            one. With single weights it is the same network.
    """

    schedule: Schedule
    groups: tuple[PlannedGroup, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    compacted: Callable[[State], tuple[nn.Module, State]]
