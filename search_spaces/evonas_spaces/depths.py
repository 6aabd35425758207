"""Residual networks whose sub-networks of fewer blocks are networks, too.

Embedded Knowledge Distillation in Depth-Level Dynamic Neural Network (DDNN and EKD; Zhao, Lyu,
Zhang, Xu, Cheng, 2021, https://arxiv.org/abs/2103.00793): a network of stages of residual blocks,
of which a sub-network uses the first blocks of every stage with the same weights. Reconstructed
from the abstract; the seed is the ResNet for small pictures of Deep Residual Learning for Image
Recognition (He, Zhang, Ren, Sun, 2016, https://arxiv.org/abs/1512.03385), but with a 1x1
convolution where the shape changes. Which sub-networks are trained is up to the cohort, by views
with `depths`; `evonas.genome.nested` makes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, final

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
from evonas_spaces.operators import chosen
from evonas_spaces.slots import Slots

_SMALLEST_MAP = 4
_NORM = {"eps": 1e-5, "momentum": 0.1}


@final
@dataclass(frozen=True, kw_only=True)
class Depths(SearchSpace):
    """Residual networks for one picture in and one vector out; the defaults are ResNet-20.

    Attributes:
        stages: Of blocks; each but the first halves the map while it is at least twice 4 pixels
            wide and high.
        blocks: In every stage of the seed.
        width: Channels of the stem and of the first stage in the seed.
        growth: How many times wider each stage is than the one before.
        operators: Mutations by entry-point name or as `module:Class`. The default ones leave what
            every block returns in the shape of what it reads, so that it can be left out. After
            `insert-dense` it would be wider, and behind the convolution of `insert-identity` the
            two could be widened apart.
        max_layers: Convolutions and linear layers that insertions may lead to.
        max_width: Channels of a layer that widening may lead to.
        slots: Insertions a block in the flat encoding for samplers of fixed vectors.
    """

    source: ClassVar[str] = "DDNN, Zhao et al. 2021, https://arxiv.org/abs/2103.00793"

    stages: int = 3
    blocks: int = 3
    width: int = 16
    growth: int = 2
    operators: tuple[str, ...] = (
        "widen",
        "widen-copies",
        "branch",
        "insert-layer",
        "insert-shortcut",
        "insert-separable",
        "grow-kernel",
        "add-se",
        "add-skip",
    )
    max_layers: int = 128
    max_width: int = 512
    slots: int = 1

    def __post_init__(self) -> None:
        for name in ("stages", "blocks", "width", "growth", "max_layers", "max_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")

    def seed(self, signatures: Signatures) -> Genome:
        """Return a stem, the stages, and a linear head behind global pooling."""
        signature = _signature(signatures)
        nodes = [Node("input", "input", (), {"shape": list(signature.inputs)}, frozen=True)]
        nodes += _layer("stem.conv", "input", self.width)
        nodes.append(_act("stem.act", "stem.bn"))
        for block, given, out, stride in self._plan(min(signature.inputs[1:])):
            nodes += _residual(block, nodes[-1].id, given, out, stride)
        head = {"out": signature.outputs[0], "bias": True}
        nodes += [
            Node("gap", "gap", (nodes[-1].id,)),
            Node("head", "linear", ("gap",), head, frozen=True),
            Node("output", "output", ("head",), frozen=True),
        ]
        return Genome({"net": LayerGraph(tuple(nodes))})

    def build(self, genome: Genome) -> nn.Module:
        """Build the network with He's initialisation."""
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
        """Return for every block a width and some slots for insertions."""
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

    def _plan(self, size: int) -> Iterator[tuple[str, int, int, int]]:
        """Yield the blocks: name, channels read and made, stride."""
        widths = [self.width * self.growth**stage for stage in range(self.stages)]
        for stage, (before, out) in enumerate(pairwise([self.width, *widths]), start=1):
            stride = 2 if stage > 1 and size >= 2 * _SMALLEST_MAP else 1
            size //= stride
            yield f"s{stage}.b1", before, out, stride
            for number in range(2, self.blocks + 1):
                yield f"s{stage}.b{number}", out, out, 1


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
                "the space 'depths' has networks from one picture (channels, height, width) to one"
                f" vector (outputs,), named 'net'; the trainer asks for {given!r}"
            )


def _residual(block: str, source: str, given: int, out: int, stride: int) -> list[Node]:
    """Return two convolutions and the shortcut around them, itself one if the shape changes."""
    nodes = _layer(f"{block}.conv1", source, out, stride)
    nodes.append(_act(f"{block}.act1", nodes[-1].id))
    nodes += _layer(f"{block}.conv2", nodes[-1].id, out)
    inner, shortcut = nodes[-1].id, source
    if stride > 1 or given != out:
        nodes += _layer(f"{block}.shortcut_conv", source, out, stride, kernel=1)
        shortcut = nodes[-1].id
    total = Node(f"{block}.add", "add", (shortcut, inner))
    return [*nodes, total, _act(f"{block}.act", total.id)]


def _layer(name: str, source: str, out: int, stride: int = 1, kernel: int = 3) -> list[Node]:
    """Return a convolution and its batch norm, which is named like it."""
    conv = {
        "out": out,
        "kernel": [kernel, kernel],
        "stride": [stride, stride],
        "padding": [kernel // 2, kernel // 2],
        "dilation": [1, 1],
        "groups": 1,
        "bias": False,
    }
    norm = name.replace("conv", "bn")
    return [Node(name, "conv", (source,), conv), Node(norm, "bn", (name,), _NORM)]


def _act(name: str, source: str) -> Node:
    return Node(name, "act", (source,), {"kind": "relu"})
