"""The space of EENA: plain convolutional classifiers that grow by function-preserving edits.

EENA: Efficient Evolution of Neural Architecture, Zhu, An, Yang, Xu, Zhao, Xu, 2019,
https://arxiv.org/abs/1905.07320. A stem, a block stacked three times with pooling in between, a
last layer, global pooling, a linear head; edits of one block are made in all of them. Differences:
by default the edits are the exact and living forms of the published ones, and more kinds of them;
small pictures get fewer pools; every width may change but the head's; the defaults are a tenth as
wide, for searches of minutes. The preset `eena-literal` has the published edits, in details
reconstructed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, final

from optuna.distributions import BaseDistribution
from torch import nn

from evonas.errors import ConfigError
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.cohort_kinds import Tap
from evonas.genome.taps import network_taps
from evonas.morph.build import build
from evonas.morph.crossover import crossover
from evonas.morph.inherit import inherit
from evonas.morph.mutation import Mutation
from evonas.networks import Signature, Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from evonas_spaces.layers import activated, conv, ending
from evonas_spaces.operators import chosen
from evonas_spaces.slots import Slots

PRESETS: Mapping[str, tuple[str, ...]] = {
    "eena": (
        "widen",
        "widen-copies",
        "branch",
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
    ),
    "eena-literal": ("eena-widen", "branch", "eena-insert", "eena-shortcut", "eena-dense"),
    "none": (),
}
_SMALLEST_MAP = 4
_POOL = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]}


@final
@dataclass(frozen=True, kw_only=True)
class Eena(SearchSpace):
    """Convolutional networks for one picture in and one vector out.

    Attributes:
        stem: Channels of the first layer in the seed; the paper's has 64.
        width: Channels of the blocks in the seed; the paper's have 128.
        last: Channels of the last convolution in the seed; the paper's has 256.
        blocks: How often the block is stacked; between two of them the map is halved while it is
            at least twice 4 pixels wide and high.
        mirrored: Whether every block gets every edit, with weights of its own.
        preset: Which mutations there are, unless `operators` says so; `none` leaves the
            architecture as it is.
        operators: Mutations by entry-point name or as `module:Class`; empty for the preset's.
        max_layers: Convolutions and linear layers that insertions may lead to.
        max_width: Channels of a layer that widening may lead to.
        slots: Insertions a block in the flat encoding for samplers of fixed vectors.
    """

    source: ClassVar[str] = "EENA, Zhu et al. 2019, https://arxiv.org/abs/1905.07320"

    stem: int = 16
    width: int = 16
    last: int = 32
    blocks: int = 3
    mirrored: bool = True
    preset: Literal["eena", "eena-literal", "none"] = "eena"
    operators: tuple[str, ...] = ()
    max_layers: int = 64
    max_width: int = 512
    slots: int = 3

    def __post_init__(self) -> None:
        for name in ("stem", "width", "last", "blocks", "max_layers", "max_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")

    def seed(self, signatures: Signatures) -> Genome:
        """Return one convolution in the stem, in each block, and before the head."""
        signature = _signature(signatures)
        nodes = [Node("input", "input", (), {"shape": list(signature.inputs)}, frozen=True)]
        nodes += _layer("stem", "input", self.stem)
        size = min(signature.inputs[1:])
        names = [f"block{number}" for number in range(1, self.blocks + 1)]
        for number, name in enumerate(names):
            if number and size >= 2 * _SMALLEST_MAP:
                nodes.append(Node(f"pool{number}", "maxpool", (nodes[-1].id,), _POOL))
                size //= 2
            nodes += _layer(name, nodes[-1].id, self.width)
        nodes += _layer("last", nodes[-1].id, self.last)
        nodes.append(Node("gap", "gap", (nodes[-1].id,)))
        nodes += ending("gap", signature.outputs[0])
        mirrors = tuple(names) if self.mirrored and self.blocks > 1 else ()
        return Genome({"net": LayerGraph(tuple(nodes), mirrors)})

    def build(self, genome: Genome) -> nn.Module:
        """Build the network with He's initialisation."""
        return build(genome)

    def mutations(self) -> Mapping[str, Mutation]:
        """Return the mutations of the preset, or those that were chosen."""
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
        """Return for every block a width and some slots for insertions."""
        return self._slots.knobs(seed)

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Return the seed widened and with the slots filled."""
        return self._slots.decode(seed, values)

    @cached_property
    def _mutations(self) -> Mapping[str, Mutation]:
        bounds = {"max_layers": self.max_layers, "max_width": self.max_width}
        return chosen(self.operators or PRESETS[self.preset], bounds)

    @property
    def _slots(self) -> Slots:
        return Slots(self._mutations, self.slots, self.max_width)


def _signature(signatures: Signatures) -> Signature:
    """Return the only network's signature.

    Raises:
        ConfigError: if there are others or it is of another kind.
    """
    match dict(signatures):
        case {"net": Signature((_, _, _), (_,)) as signature, **others} if not others:
            return signature
        case given:
            raise ConfigError(
                "the space 'eena' has networks from one picture (channels, height, width) to one"
                f" vector (outputs,), named 'net'; the trainer asks for {given!r}"
            )


def _layer(block: str, source: str, width: int) -> list[Node]:
    return activated(conv(block, source, width), "relu", batch_norm=True)
