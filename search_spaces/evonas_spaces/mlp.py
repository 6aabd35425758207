"""Multilayer perceptrons for vectors, grown by the same edits as convolutional networks.

Net2Net (Chen, Goodfellow, Shlens, 2016, https://arxiv.org/abs/1511.05641) has the edits for fully
connected layers too; gates and zero scales let them start from fresh weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, final

from optuna.distributions import BaseDistribution
from torch import nn

from evonas.errors import ConfigError, unknown
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.cohort_kinds import Tap
from evonas.genome.shapes import ACTIVATIONS
from evonas.genome.taps import network_taps
from evonas.morph.build import build
from evonas.morph.crossover import crossover
from evonas.morph.inherit import inherit
from evonas.morph.mutation import Mutation
from evonas.networks import Signature, Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from evonas_spaces.layers import activated, ending, linear
from evonas_spaces.operators import chosen
from evonas_spaces.slots import Slots


@final
@dataclass(frozen=True, kw_only=True)
class Mlp(SearchSpace):
    """Networks of linear layers, from one vector to one vector each; any number of networks.

    Attributes:
        hidden: Units of each hidden layer in the seed.
        layers: Hidden layers in the seed.
        activation: What follows each of them.
        batch_norm: Whether batch norm stands before it, here and in layers inserted later.
        operators: Mutations by entry-point name or as `module:Class`.
        max_layers: Linear layers that insertions may lead to.
        max_width: Units of a layer that widening may lead to.
        slots: Insertions a hidden layer in the flat encoding for samplers of fixed vectors.
    """

    source: ClassVar[str] = "Net2Net, Chen et al. 2016, https://arxiv.org/abs/1511.05641"

    hidden: int = 32
    layers: int = 1
    activation: str = "relu"
    batch_norm: bool = False
    operators: tuple[str, ...] = (
        "widen",
        "widen-copies",
        "insert-layer",
        "insert-identity",
        "insert-shortcut",
        "insert-dense",
        "add-skip",
        "remove-layer",
        "remove-skip",
        "prune-channels",
    )
    max_layers: int = 16
    max_width: int = 1024
    slots: int = 3

    def __post_init__(self) -> None:
        for name in ("hidden", "layers", "max_layers", "max_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        if self.activation not in ACTIVATIONS:
            raise unknown("activation", self.activation, ACTIVATIONS)

    def seed(self, signatures: Signatures) -> Genome:
        """Return for every signature a network with equal hidden layers."""
        for name, signature in signatures.items():
            if len(signature.inputs) != 1 or len(signature.outputs) != 1:
                raise ConfigError(
                    "the space 'mlp' has networks from vectors (features,) to vectors (outputs,);"
                    f" the trainer asks for {name!r} with {signature!r}"
                )
        return Genome({name: self._graph(signature) for name, signature in signatures.items()})

    def build(self, genome: Genome) -> nn.Module:
        """Build the networks with He's initialisation."""
        return build(genome)

    def mutations(self) -> Mapping[str, Mutation]:
        """Return the chosen mutations."""
        return self._mutations

    def inherit(self, child: Genome, parents: Sequence[tuple[Genome, State]], rng: Rng) -> State:
        """Return the parent's state after the child's edits, with what further parents donate."""
        return inherit(self._mutations, child, parents, rng)

    def crossover(self, first: Genome, second: Genome, rng: Rng) -> Genome | None:
        """Return `first` with edits of `second`."""
        return crossover(self._mutations, first, second, rng)

    def taps(self, genome: Genome) -> Mapping[str, Tap]:
        """Return the places in its network that a cohort may read."""
        return network_taps(genome)

    def knobs(self, seed: Genome) -> Mapping[str, BaseDistribution]:
        """Return for every hidden layer a width and some slots for insertions behind it."""
        return self._slots.knobs(seed)

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Return the seed widened and with the slots filled."""
        return self._slots.decode(seed, values)

    @cached_property
    def _mutations(self) -> Mapping[str, Mutation]:
        return chosen(self.operators, {"max_layers": self.max_layers, "max_width": self.max_width})

    @property
    def _slots(self) -> Slots:
        return Slots(self._mutations, self.slots, self.max_width)

    def _graph(self, signature: Signature) -> LayerGraph:
        nodes = [Node("input", "input", (), {"shape": list(signature.inputs)}, frozen=True)]
        for number in range(1, self.layers + 1):
            made = linear(f"hidden{number}", nodes[-1].id, self.hidden)
            nodes += activated(made, self.activation, batch_norm=self.batch_norm)
        return LayerGraph((*nodes, *ending(nodes[-1].id, signature.outputs[0])))
