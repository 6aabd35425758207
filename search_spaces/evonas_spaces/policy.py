"""Policies and critics: perceptrons for vectors, small convolutional networks for pictures.

Networks of pictures are after that of "Human-level control through deep reinforcement learning"
(Mnih et al., 2015, https://www.nature.com/articles/nature14236): convolutions with strides and no
pooling, then linear layers. Differences: kernels are odd, so that they can grow, widths are half
of theirs or less, and maps of grid worlds are looked at closely before they are halved.

What an actor puts out starts near zero, by a last layer with weights a hundredth of the others':
of the choices in "What Matters In On-Policy Reinforcement Learning?" (Andrychowicz et al., 2020,
https://arxiv.org/abs/2006.05990) one of those that matter most.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, final

import torch
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
from evonas.morph.naming import prefix
from evonas.networks import Signature, Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from evonas_spaces.layers import HEAD, activated, conv, ending, linear
from evonas_spaces.operators import chosen
from evonas_spaces.slots import Slots

_LARGE_MAP, _SMALLEST_MAP = 48, 8


@final
@dataclass(frozen=True, kw_only=True)
class Policy(SearchSpace):
    """Networks from one vector or picture to one vector each, for any trainer of policies.

    A network whose name begins with `critic` is a critic; `actor`, `net` and all others are actors.

    Attributes:
        actor_width: Units of each hidden layer of an actor in the seed.
        actor_layers: How many these are.
        critic_width: Units of each hidden layer of a critic.
        critic_layers: How many these are.
        channels: Of the first convolution where the input is a picture; later ones have twice as
            many.
        activation: What follows each linear layer; convolutions are followed by ReLU.
        batch_norm: Whether batch norm stands before it, here and in layers inserted later.
        actor_scale: What the weights of an actor's last layer are multiplied by at first.
        operators: Mutations by entry-point name or as `module:Class`.
        max_layers: Convolutions and linear layers of a network that insertions may lead to.
        max_width: Units or channels of a layer that widening may lead to.
        slots: Insertions a layer in the flat encoding for samplers of fixed vectors.
    """

    source: ClassVar[str] = "Mnih et al. 2015, https://www.nature.com/articles/nature14236"

    actor_width: int = 64
    actor_layers: int = 2
    critic_width: int = 64
    critic_layers: int = 2
    channels: int = 16
    activation: str = "tanh"
    batch_norm: bool = False
    actor_scale: float = 0.01
    operators: tuple[str, ...] = (
        "widen",
        "widen-copies",
        "insert-layer",
        "insert-identity",
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
    slots: int = 3

    def __post_init__(self) -> None:
        counts = ("actor_width", "actor_layers", "critic_width", "critic_layers", "channels")
        for name in (*counts, "max_layers", "max_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        if self.activation not in ACTIVATIONS:
            raise unknown("activation", self.activation, ACTIVATIONS)
        if not self.actor_scale > 0:
            raise ConfigError(f"actor_scale is {self.actor_scale!r}, should be above 0")

    def seed(self, signatures: Signatures) -> Genome:
        """Return for every signature a network with equal hidden layers."""
        for name, signature in signatures.items():
            if len(signature.inputs) not in {1, 3} or len(signature.outputs) != 1:
                raise ConfigError(
                    "the space 'policy' has networks from vectors (features,) or pictures"
                    " (channels, height, width) to vectors (outputs,); the trainer asks for"
                    f" {name!r} with {signature!r}"
                )
        return Genome({name: self._graph(name, one) for name, one in signatures.items()})

    def build(self, genome: Genome) -> nn.Module:
        """Build the networks with He's initialisation, and actors that begin near zero."""
        model = build(genome)
        for name in genome.architecture:
            if not _is_critic(name):
                weight = model.get_parameter(f"{prefix(genome, name)}{HEAD}.weight")
                with torch.no_grad():
                    weight.mul_(self.actor_scale)
        return model

    def mutations(self) -> Mapping[str, Mutation]:
        """Return the chosen mutations, each of which may edit any of the networks."""
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
        board = (2, 6, 6)
        return {"actor": Signature(board, (3,)), "critic": Signature(board, (1,))}

    @cached_property
    def _mutations(self) -> Mapping[str, Mutation]:
        return chosen(self.operators, {"max_layers": self.max_layers, "max_width": self.max_width})

    @property
    def _slots(self) -> Slots:
        return Slots(self._mutations, self.slots, self.max_width)

    def _graph(self, name: str, signature: Signature) -> LayerGraph:
        nodes = [Node("input", "input", (), {"shape": list(signature.inputs)}, frozen=True)]
        if len(signature.inputs) == 3:
            nodes += self._eyes(min(signature.inputs[1:]))
        width, layers = (
            (self.critic_width, self.critic_layers)
            if _is_critic(name)
            else (self.actor_width, self.actor_layers)
        )
        for number in range(1, layers + 1):
            made = linear(f"hidden{number}", nodes[-1].id, width)
            nodes += activated(made, self.activation, batch_norm=self.batch_norm)
        return LayerGraph((*nodes, *ending(nodes[-1].id, signature.outputs[0])))

    def _eyes(self, size: int) -> list[Node]:
        """Return the layers from the node `input`, a picture of this size, to a vector."""
        nodes: list[Node] = []
        for number, (kernel, stride) in enumerate(_windows(size), start=1):
            source = nodes[-1].id if nodes else "input"
            width = self.channels * min(number, 2)
            made = conv(f"conv{number}", source, width, kernel, stride)
            nodes += activated(made, "relu", batch_norm=self.batch_norm)
        return [*nodes, Node("flat", "flatten", (nodes[-1].id,))]


def _is_critic(name: str) -> bool:
    return name.startswith("critic")


def _windows(size: int) -> Iterator[tuple[int, int]]:
    """Yield the convolutions' kernels and strides for a map of this size."""
    kernel, stride = (7, 4) if size >= _LARGE_MAP else (3, 1)
    yield kernel, stride
    size = -(-size // stride)
    while size > _SMALLEST_MAP:
        yield 3, 2
        size = -(-size // 2)
