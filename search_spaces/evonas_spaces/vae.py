"""Encoders and decoders of variational autoencoders, grown by the same edits as any layer graph.

As in "Lifelong Generative Learning via Knowledge Reconstruction" (Huang, An et al., 2022,
https://arxiv.org/abs/2201.06418): perceptrons with leaky ReLUs, or an encoder of convolutions with
strides where it reads pictures. Differences: decoders end in a sigmoid, which the authors' code
recommends in a comment; convolutions have no batch norm, whose statistics would be those of the
last task; a decoder is always a perceptron, because layer graphs have nothing that makes maps
larger.
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
from evonas_spaces.layers import HEAD, activated, conv, ending, linear
from evonas_spaces.operators import chosen
from evonas_spaces.slots import Slots

_SMALLEST_MAP = 4


@final
@dataclass(frozen=True, kw_only=True)
class Vae(SearchSpace):
    """Networks from one vector or picture to one vector each, for any trainer of autoencoders.

    What a network puts out whose name begins with `decoder` is between 0 and 1; all others are
    encoders.

    Attributes:
        encoder_width: Units of each hidden layer of an encoder in the seed.
        encoder_layers: How many these are.
        decoder_width: Units of each hidden layer of a decoder.
        decoder_layers: How many these are.
        channels: Of the first convolution where the input is a picture; each further one, at half
            the size, has twice as many.
        activation: What follows each layer but the last.
        operators: Mutations by entry-point name or as `module:Class`.
        max_layers: Convolutions and linear layers of a network that insertions may lead to.
        max_width: Units or channels of a layer that widening may lead to.
        slots: Insertions a layer in the flat encoding for samplers of fixed vectors.
    """

    source: ClassVar[str] = "Huang et al. 2022, https://arxiv.org/abs/2201.06418"

    encoder_width: int = 64
    encoder_layers: int = 2
    decoder_width: int = 64
    decoder_layers: int = 2
    channels: int = 8
    activation: str = "leaky_relu"
    operators: tuple[str, ...] = (
        "widen",
        "widen-copies",
        "insert-layer",
        "insert-shortcut",
        "insert-dense",
        "insert-separable",
        "grow-kernel",
        "add-se",
        "add-skip",
        "remove-layer",
        "remove-skip",
        "prune-channels",
    )
    max_layers: int = 16
    max_width: int = 1024
    slots: int = 2

    def __post_init__(self) -> None:
        counts = ("encoder_width", "encoder_layers", "decoder_width", "decoder_layers", "channels")
        for name in (*counts, "max_layers", "max_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        if self.activation not in ACTIVATIONS:
            raise unknown("activation", self.activation, ACTIVATIONS)

    def seed(self, signatures: Signatures) -> Genome:
        """Return for every signature a network with equal hidden layers."""
        for name, signature in signatures.items():
            if len(signature.inputs) not in {1, 3} or len(signature.outputs) != 1:
                raise ConfigError(
                    "the space 'vae' has networks from vectors (features,) or pictures"
                    " (channels, height, width) to vectors (outputs,); the trainer asks for"
                    f" {name!r} with {signature!r}"
                )
        return Genome({name: self._graph(name, one) for name, one in signatures.items()})

    def build(self, genome: Genome) -> nn.Module:
        """Build the networks with He's initialisation."""
        return build(genome)

    def mutations(self) -> Mapping[str, Mutation]:
        """Return the chosen mutations, each of which may edit either network."""
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
        """Return for every layer of the seed a width and some slots for insertions behind it."""
        return self._slots.knobs(seed)

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Return the seed widened and with the slots filled."""
        return self._slots.decode(seed, values)

    def example_signatures(self) -> Signatures:
        """Return networks on which every mutation has an edit."""
        return {"encoder": Signature((3, 8, 8), (6,)), "decoder": Signature((5,), (64,))}

    @cached_property
    def _mutations(self) -> Mapping[str, Mutation]:
        return chosen(self.operators, {"max_layers": self.max_layers, "max_width": self.max_width})

    @property
    def _slots(self) -> Slots:
        return Slots(self._mutations, self.slots, self.max_width)

    def _graph(self, name: str, signature: Signature) -> LayerGraph:
        is_decoder = name.startswith("decoder")
        nodes = [Node("input", "input", (), {"shape": list(signature.inputs)}, frozen=True)]
        if len(signature.inputs) == 3:
            nodes += self._eyes(min(signature.inputs[1:]))
        width, layers = (
            (self.decoder_width, self.decoder_layers)
            if is_decoder
            else (self.encoder_width, self.encoder_layers)
        )
        for number in range(1, layers + 1):
            made = linear(f"hidden{number}", nodes[-1].id, width)
            nodes += activated(made, self.activation, batch_norm=False)
        head, output = ending(nodes[-1].id, signature.outputs[0])
        if not is_decoder:
            return LayerGraph((*nodes, head, output))
        bound = Node("bound", "act", (HEAD,), {"kind": "sigmoid"}, frozen=True)
        return LayerGraph((*nodes, head, bound, Node("output", "output", ("bound",), frozen=True)))

    def _eyes(self, size: int) -> list[Node]:
        """Return the layers from the node `input`, a picture of this size, to a vector."""
        nodes: list[Node] = []
        number = 0
        while not nodes or size > _SMALLEST_MAP:
            source = nodes[-1].id if nodes else "input"
            made = conv(f"conv{number + 1}", source, self.channels * 2**number, stride=2)
            nodes += activated(made, self.activation, batch_norm=False)
            number, size = number + 1, -(-size // 2)
        return [*nodes, Node("flat", "flatten", (nodes[-1].id,))]
