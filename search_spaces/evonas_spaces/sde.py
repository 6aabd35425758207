"""Perceptrons that move a state through time: vector fields, what starts them, what reads them.

As in "Efficient and Accurate Gradients for Neural SDEs" (Kidger, Foster, Li, Lyons, 2021,
https://arxiv.org/abs/2105.13493) and its authors' code: LipSwish everywhere, whose slope is at most
1; a hyperbolic tangent at the end of every vector field, so that the state cannot run away in one
step; readouts of one linear layer; weights that start larger where a path starts and smaller in the
vector fields. Which network is which is known by its name. They grow as the space `mlp` grows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, final

import torch
from optuna.distributions import BaseDistribution
from torch import nn

from evonas.errors import ConfigError
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.cohort_kinds import Tap
from evonas.morph.build import build
from evonas.morph.mutation import Mutation
from evonas.networks import Signature, Signatures, named
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from evonas_spaces.mlp import Mlp


@final
@dataclass(frozen=True, kw_only=True)
class Sde(SearchSpace):
    """The networks of a neural SDE, from one vector to one vector each.

    Attributes:
        hidden: Units of each hidden layer in the seed.
        layers: Hidden layers of vector fields and starts in the seed.
        activation: What follows each of them.
        fields: Names of vector fields.
        starts: Names of networks that say where a path of the generator starts.
        readouts: Names of networks that are linear in the seed.
        field_scale: What the first weights of vector fields of the generator are multiplied by.
        start_scale: And those of its starts.
        critic: What the names of networks begin with that are not scaled.
        operators: Mutations by entry-point name or as `module:Class`.
        max_layers: Linear layers that insertions may lead to.
        max_width: Units of a layer that widening may lead to.
        slots: As for the space `mlp`.
    """

    source: ClassVar[str] = "Kidger et al. 2021, https://arxiv.org/abs/2105.13493"

    hidden: int = 16
    layers: int = 1
    activation: str = "lipswish"
    fields: tuple[str, ...] = ("drift", "diffusion", "critic_field", "posterior", "prior")
    starts: tuple[str, ...] = ("initial",)
    readouts: tuple[str, ...] = ("readout", "critic_readout")
    field_scale: float = 0.5
    start_scale: float = 3.0
    critic: str = "critic"
    operators: tuple[str, ...] = (
        "widen",
        "widen-copies",
        "insert-layer",
        "insert-shortcut",
        "insert-dense",
        "add-skip",
        "remove-layer",
        "remove-skip",
        "prune-channels",
    )
    max_layers: int = 8
    max_width: int = 256
    slots: int = 2

    def __post_init__(self) -> None:
        _ = self._perceptrons  # checks what it is given
        for name in ("field_scale", "start_scale"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be above 0")

    def seed(self, signatures: Signatures) -> Genome:
        """Return for every signature a perceptron, bounded if its name is that of a field."""
        plain = self._perceptrons.seed(signatures).architecture
        return Genome({name: self._graph(name, graph) for name, graph in plain.items()})

    def build(self, genome: Genome) -> nn.Module:
        """Build the networks with torch's first weights for linear layers, scaled by their part."""
        model = build(genome)
        signatures = {name: Signature((), ()) for name in genome.architecture}
        with torch.no_grad():
            for name, network in named(model, signatures).items():
                for module in network.modules():
                    if isinstance(module, nn.Linear) and not module.weight.is_meta:
                        module.reset_parameters()
                        for parameter in module.parameters():
                            parameter.mul_(self._scale(name))
        return model

    def mutations(self) -> Mapping[str, Mutation]:
        """Return the chosen mutations."""
        return self._perceptrons.mutations()

    def inherit(self, child: Genome, parents: Sequence[tuple[Genome, State]], rng: Rng) -> State:
        """Return the parent's state after the child's edits, with what further parents donate."""
        return self._perceptrons.inherit(child, parents, rng)

    def crossover(self, first: Genome, second: Genome, rng: Rng) -> Genome | None:
        """Return `first` with edits of `second`."""
        return self._perceptrons.crossover(first, second, rng)

    def taps(self, genome: Genome) -> Mapping[str, Tap]:
        """Return the places in its network that a cohort may read."""
        return self._perceptrons.taps(genome)

    def knobs(self, seed: Genome) -> Mapping[str, BaseDistribution]:
        """Return for every hidden layer a width and some slots for insertions behind it."""
        return self._perceptrons.knobs(seed)

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Return the seed widened and with the slots filled."""
        return self._perceptrons.decode(seed, values)

    @cached_property
    def _perceptrons(self) -> Mlp:
        return Mlp(
            hidden=self.hidden,
            layers=self.layers,
            activation=self.activation,
            operators=self.operators,
            max_layers=self.max_layers,
            max_width=self.max_width,
            slots=self.slots,
        )

    def _graph(self, name: str, plain: LayerGraph) -> LayerGraph:
        """Return a perceptron's graph as the network of this name has it."""
        if name in self.readouts:
            head = Node("head", "linear", ("input",), plain["head"].params, frozen=True)
            return LayerGraph((plain["input"], head, plain["output"]))
        if name in self.fields:
            bound = Node("bound", "act", ("head",), {"kind": "tanh"}, frozen=True)
            output = Node("output", "output", ("bound",), frozen=True)
            return LayerGraph((*plain.nodes[:-1], bound, output))
        return plain

    def _scale(self, name: str) -> float:
        """Return what the first weights of a network are multiplied by."""
        if name.startswith(self.critic):
            return 1.0
        if name in self.fields:
            return self.field_scale
        return self.start_scale if name in self.starts else 1.0
