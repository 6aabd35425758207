"""What the zeros among single weights are worth: a density, and multiplications in theory.

No hardware at hand skips them, so neither is a cost that was measured. What any hardware would be
spared are channels that nothing reads any more.
"""

import math
from collections.abc import Mapping

from torch import Tensor

from evonas.genome import Genome
from evonas.morph.dead import dead_macs
from evonas.morph.naming import prefix


def sparsity(
    genome: Genome, names: Mapping[str, int], tensors: Mapping[str, Tensor], macs: float
) -> Mapping[str, float]:
    """Return `density`, the share of non-zeros in some weights, and `sparse_macs` without the rest.

    Beside them `live_macs`, those of the network without channels that nothing reads.

    Args:
        genome: The candidate's.
        names: The weights of layers that were pruned one by one.
        tensors: Of the candidate.
        macs: Of the candidate, all weights counted.
    """
    total = zeros = skipped = 0
    for name, graph in genome.architecture.items():
        for node in graph.nodes:
            weight = f"{prefix(genome, name)}{node.id}.weight"
            if weight in names:
                gone = int((tensors[weight] == 0).sum())
                total += tensors[weight].numel()
                zeros += gone
                skipped += gone * math.prod(graph.shapes[node.id][1:])
    return {
        "density": 1 - zeros / total if total else 1.0,
        "sparse_macs": macs - skipped,
        "live_macs": macs - dead_macs(genome, tensors),
    }
