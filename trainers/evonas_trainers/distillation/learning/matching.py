"""How much two networks agree on a sample: the weight of its loss on a matched edge.

The weights of "Online Knowledge Distillation via Mutual Contrastive Learning for Visual
Recognition", Yang et al., 2022, https://arxiv.org/abs/2207.11518 (layer-wise MCL): with f_a(x) what
end a has for sample x, averaged over positions if it is a map,
lambda(x) = sigmoid(s cos(W_a f_a(x), W_b f_b(x)) + b). As published s = 1 and b = 0 for ever, so
that no weight is below 0.269 or above 0.731: no edge can be switched off. Gates, which learn s and
b for each pair of ends, are our own. W and gates belong to the ends, whatever losses join these.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import final

import torch
from torch import Tensor, nn

from evonas.genome.cohort import Cohort, Edge
from evonas.genome.shapes import Shape
from evonas.morph.cohort.matching import partners
from evonas_trainers.distillation.losses.lengths import unit

WIDTH = 128
"""Of what is compared."""

_START = "matcher/"


@final
class Matching:
    """The weights of one batch, by edge."""

    def __init__(
        self, cohort: Cohort, modules: nn.ModuleDict, features: Callable[[str], Tensor]
    ) -> None:
        """Begin with what `features` has at every end; modules are those of the cohort."""
        self._cohort, self._modules, self._features = cohort, modules, features
        self._projected: dict[str, Tensor] = {}
        self._agreed: dict[str, Tensor] = {}

    def weights(self, edge: Edge) -> Tensor:
        """Return the weight of every sample, (batch,), on a matched edge."""
        others = partners(self._cohort, edge)
        return torch.stack([self._agreement(edge.to, other) for other in others]).mean(0)

    def _agreement(self, end: str, other: str) -> Tensor:
        key = gate_key(end, other)
        if key not in self._agreed:
            cosine = (self._projection(end) * self._projection(other)).sum(1)
            gated = self._modules[key](cosine) if key in self._modules else cosine
            self._agreed[key] = torch.sigmoid(gated)
        return self._agreed[key]

    def _projection(self, end: str) -> Tensor:
        if end not in self._projected:
            projected = self._modules[projection_key(end)](self._features(end))
            self._projected[end] = unit(projected)
        return self._projected[end]


@final
class Gate(nn.Module):
    """A scale and a shift; they start where the published form stays."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, cosine: Tensor) -> Tensor:
        """Scale and shift."""
        return self.factor * cosine + self.shift


def projection_key(end: str) -> str:
    """Return the key of the map of an end's features."""
    return f"{_START}{end}"


def gate_key(end: str, other: str) -> str:
    """Return the key of the gate of two ends, the same both ways."""
    return f"{_START}{' '.join(sorted((end, other)))}"


def matchers(
    cohort: Cohort, shape: Callable[[str], Shape]
) -> Mapping[str, Callable[[], nn.Module]]:
    """Return how to make what matched edges need, by key.

    Args:
        cohort: The genes.
        shape: Returns that of an end.
    """
    makers: dict[str, Callable[[], nn.Module]] = {}
    for edge in cohort.edges:
        for other in partners(cohort, edge) if edge.matched else ():
            for end in (edge.to, other):
                makers[projection_key(end)] = partial(_projection_of, shape(end))
            if cohort.bilevel is not None and cohort.bilevel.has_gates:
                makers[gate_key(edge.to, other)] = Gate
    return makers


def parameters(modules: nn.ModuleDict) -> list[nn.Parameter]:
    """Return all that learns by matching, and by nothing else."""
    found = [module for key, module in modules.items() if key.startswith(_START)]
    return [tensor for module in found for tensor in module.parameters()]


def _projection_of(shape: Shape) -> nn.Module:
    pooling = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if len(shape) == 3 else []
    return nn.Sequential(*pooling, nn.Linear(shape[0], WIDTH))
