"""A search space in one file: perceptrons for tables, grown by widening and by bottlenecks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

from optuna.distributions import BaseDistribution, CategoricalDistribution
from torch import nn

from evonas.errors import ConfigError
from evonas.genome import Genome, LayerGraph, Node
from evonas.genome.cohort_kinds import Tap
from evonas.genome.taps import network_taps
from evonas.morph.build import build
from evonas.morph.crossover import crossover
from evonas.morph.inherit import inherit
from evonas.morph.mutation import Mutation
from evonas.morph.widen import Widen
from evonas.networks import Signature, Signatures
from evonas.seeds import Rng
from evonas.space import SearchSpace
from evonas.state import State
from examples.residual_bottleneck import InsertBottleneck


@final
@dataclass(frozen=True, kw_only=True)
class TableNetworks(SearchSpace):
    """Perceptrons from one vector to one vector.

    Attributes:
        width: Of the seed's one hidden layer.
        bottlenecks: How many knobs a sampler of fixed vectors has, one a bottleneck.
    """

    source: ClassVar[str] = "an example of docs/plugins.md"

    width: int = 16
    bottlenecks: int = 3

    def seed(self, signatures: Signatures) -> Genome:
        """Return one hidden layer."""
        for name, signature in signatures.items():
            if len(signature.inputs) != 1 or len(signature.outputs) != 1:
                raise ConfigError(
                    f"TableNetworks maps vectors to vectors, the trainer wants {name!r} from "
                    f"{signature.inputs} to {signature.outputs}; choose another space"
                )
        return Genome({name: _perceptron(one, self.width) for name, one in signatures.items()})

    def build(self, genome: Genome) -> nn.Module:
        """Build the networks with He's initialisation."""
        return build(genome)

    def mutations(self) -> Mapping[str, Mutation]:
        """Return widening and the bottleneck."""
        return {"widen": Widen(), "insert-bottleneck": InsertBottleneck()}

    def inherit(self, child: Genome, parents: Sequence[tuple[Genome, State]], rng: Rng) -> State:
        """Replay the child's edits on the weights of its first parent."""
        return inherit(self.mutations(), child, parents, rng)

    def crossover(self, first: Genome, second: Genome, rng: Rng) -> Genome | None:
        """Replay edits of the second parent on the first."""
        return crossover(self.mutations(), first, second, rng)

    def taps(self, genome: Genome) -> Mapping[str, Tap]:
        """Return the places in its network that a cohort may read."""
        return network_taps(genome)

    def knobs(self, seed: Genome) -> Mapping[str, BaseDistribution]:
        """Return the width of every bottleneck; 0 for none."""
        del seed
        widths = CategoricalDistribution((0, *InsertBottleneck().widths))
        return {f"bottleneck{number}": widths for number in range(self.bottlenecks)}

    def decode(self, seed: Genome, values: Mapping[str, Any]) -> Genome:
        """Insert the bottlenecks, one before the other, into the first network."""
        genome, name = seed, next(iter(seed.architecture))
        for width in values.values():
            if width:
                edit = genome.edit("insert-bottleneck", f"{name}/relu", width=width)
                genome = InsertBottleneck().apply(genome, edit)
        return genome


def _perceptron(signature: Signature, width: int) -> LayerGraph:
    """Return a graph with one hidden layer; what must stay as it is, is frozen."""
    (features,), (outputs,) = signature.inputs, signature.outputs
    return LayerGraph(
        (
            Node("input", "input", (), {"shape": [features]}, frozen=True),
            Node("hidden", "linear", ("input",), {"out": width, "bias": True}),
            Node("relu", "act", ("hidden",), {"kind": "relu"}),
            Node("head", "linear", ("relu",), {"out": outputs, "bias": True}, frozen=True),
            Node("output", "output", ("head",), frozen=True),
        )
    )
