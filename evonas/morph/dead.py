"""Units that nothing reads: what taking them away would really save."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from evonas.genome import Genome
from evonas.genome.cost import macs
from evonas.genome.pruning import Kept
from evonas.morph.channels import Channels
from evonas.morph.keep import Prunable
from evonas.morph.naming import prefix
from evonas.morph.removal import occurrences


def dead_macs(genome: Genome, tensors: Mapping[str, Tensor]) -> int:
    """Return the multiply-accumulates of channels by which no weight multiplies.

    The network computes the same without them, and dense layers are so much smaller. A group keeps
    one channel. Channels that sums tie to other layers' are left out.
    """
    prunable = Prunable.of(genome, "inner")
    dead = {
        name: _dead(genome, name, channels, tensors)
        for name, channels in prunable.widths.channels.items()
    }
    kept: dict[str, Kept] = {}
    for name, choice in prunable.choices.items():
        going = min(int(dead[choice.name][group.classes].sum()) for group in choice.groups)
        kept[name] = Kept(max(1, choice.size - going), choice.size)
    thin = prunable.thinned(kept).architecture
    return sum(macs(graph) - macs(thin[name]) for name, graph in genome.architecture.items())


def _dead(
    genome: Genome, name: str, channels: Channels, tensors: Mapping[str, Tensor]
) -> NDArray[np.bool_]:
    """Return which channel classes of a graph are read by weights of zero alone."""
    read, readers = np.zeros(len(channels.frozen)), np.zeros(len(channels.frozen))
    for place in occurrences(genome.architecture[name], channels, prefix(genome, name)):
        if place.columns is not None and place.name in tensors:
            known = place.columns >= 0
            sizes = tensors[place.name].double().abs().transpose(0, 1).flatten(1).sum(1).numpy()
            np.add.at(read, place.columns[known], sizes[known])
            np.add.at(readers, place.columns[known], 1)
    return (readers > 0) & (read == 0)
