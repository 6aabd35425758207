"""By what the losses of a cohort's edges are multiplied: their curves, and measured scales."""

from collections.abc import Sequence
from typing import final

from torch import Tensor

from evonas.genome.cohort import Cohort, Edge, split_end
from evonas.genome.cohort_kinds import LOGITS
from evonas_trainers.distillation.learning.networks import Networks
from evonas_trainers.distillation.learning.programme import Programme
from evonas_trainers.distillation.learning.scale import GradientScale
from evonas_trainers.distillation.learning.values import Values
from evonas_trainers.slots import Criterion

Pulls = Sequence[tuple[Edge, Tensor]]
"""Edges with their losses, not weighted."""


@final
class EdgeWeights:
    """The weights of one training."""

    def __init__(self, cohort: Cohort, networks: Networks) -> None:
        self._programme, self._networks = Programme(cohort), networks
        self._scales = {e.name: GradientScale() for e in cohort.edges if e.unit == "gradient"}

    def at(self, edge: Edge, progress: float) -> Tensor | float:
        """Return an edge's weight now, the scale included."""
        weight = self._programme.weight(edge, progress)
        return weight * self._scales[edge.name].value if edge.name in self._scales else weight

    def measure(self, pulls: Pulls, values: Values, criterion: Criterion) -> None:
        """Note the scales of edges whose weights are in units of cross-entropy's gradient."""
        for edge, loss in pulls:
            scale = self._scales.get(edge.name)
            if scale is not None and not scale.is_frozen:
                node, tap = split_end(edge.to)
                outputs = values.at(f"{node}:{LOGITS}" if tap else node)
                scale.measure(criterion(outputs.float()), loss, values.at(edge.to))
                if tap not in {"", LOGITS}:
                    self._networks.charge_forward(node, len(outputs))
