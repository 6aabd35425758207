"""Any network of plain layers as the seed of a search, with its trained weights if it has any.

The growing operators of Net2Net (Chen, Goodfellow, Shlens, 2016, https://arxiv.org/abs/1511.05641)
and its successors start from a network that is there already; here it is traced and adopted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, final

import torch
from optuna.distributions import BaseDistribution
from torch import nn

from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.genome.cohort_kinds import Tap
from evonas.genome.taps import network_taps
from evonas.morph.adopt import adopt
from evonas.morph.build import build
from evonas.morph.crossover import crossover
from evonas.morph.inherit import inherit
from evonas.morph.mutation import Mutation
from evonas.networks import Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from evonas.teachers import called
from evonas_spaces.eena import PRESETS
from evonas_spaces.operators import chosen
from evonas_spaces.slots import Slots


@final
@dataclass(frozen=True, kw_only=True)
class Adopted(SearchSpace):
    """What grows out of, and is cut from, a torch network.

    Attributes:
        network: What returns the network, as `module:callable`.
        arguments: What to call it with.
        operators: Mutations by entry-point name or as `module:Class`.
        max_layers: Convolutions and linear layers that insertions may lead to.
        max_width: Channels of a layer that widening may lead to.
        slots: Insertions a block in the flat encoding for samplers of fixed vectors.
    """

    source: ClassVar[str] = "Net2Net, Chen et al. 2016, https://arxiv.org/abs/1511.05641"

    network: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    operators: tuple[str, ...] = PRESETS["eena"]
    max_layers: int = 128
    max_width: int = 4096
    slots: int = 1

    @classmethod
    def example(cls) -> "Adopted":
        """Return the space around a small residual network, for the conformance suite."""
        return cls(network=f"{__name__}:small_residual_network")

    def seed(self, signatures: Signatures) -> Genome:
        """Return the adopted network.

        Raises:
            ConfigError: if it does not fit, or has parts that evonas cannot vary.
        """
        if set(signatures) != {"net"}:
            raise ConfigError(
                "the space 'adopted' has one network, named 'net'; the trainer asks for"
                f" {', '.join(sorted(signatures)) or 'none'}"
            )
        with torch.random.fork_rng(devices=()):
            network = self._network()
        genome, _ = _adopted(network, signatures["net"].inputs)
        graph = genome.architecture["net"]
        given, wanted = graph.shapes[graph.output.id], signatures["net"].outputs
        if given != wanted:
            raise ConfigError(f"{self.network!r} puts out {given}, the trainer asks for {wanted}")
        return genome

    def build(self, genome: Genome) -> nn.Module:
        """Build a network: the seed as it was handed over, all others with fresh weights."""
        if genome.edits or torch.get_default_device().type == "meta":
            return build(genome)
        shape = genome.architecture["net"].nodes[0].params["shape"]
        _, state = _adopted(self._network(), tuple(shape))
        model = build(genome)
        model.load_state_dict(dict(state.tensors))
        return model

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
        """Return for every block with a width a knob for it, and some slots for insertions."""
        return self._slots.knobs(seed)

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Return the seed widened and with the slots filled."""
        return self._slots.decode(seed, values)

    def _network(self) -> nn.Module:
        return called(self.network, self.arguments)

    @cached_property
    def _mutations(self) -> Mapping[str, Mutation]:
        return chosen(self.operators, {"max_layers": self.max_layers, "max_width": self.max_width})

    @property
    def _slots(self) -> Slots:
        return Slots(self._mutations, self.slots, self.max_width)


def small_residual_network() -> nn.Module:
    """Return a network of 8x8 grey pictures to ten classes, to try the space with."""
    return _Residual()


@final
class _Residual(nn.Module):
    """A stem, one residual block with batch norm, and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.head(torch.relu(x + self.block(x)))


def _adopted(network: nn.Module, inputs: tuple[int, ...]) -> tuple[Genome, State]:
    """Return the network as a genome of one graph, with its weights.

    Raises:
        ConfigError: if it does not take such inputs, or has parts that evonas cannot vary.
    """
    dtype = next((p.dtype for p in network.parameters()), torch.get_default_dtype())
    graph, state = adopt(network, torch.zeros(2, *inputs, dtype=dtype))
    return Genome({"net": graph}), state
