"""How many weights each layer of a sparse network has: Erdos-Renyi densities with kernels (ERK).

"Scalable training of artificial neural networks with adaptive sparse connectivity" (Mocanu et al.,
2018, https://arxiv.org/abs/1707.04780) for linear layers; "Rigging the Lottery" (Evci et al., 2020,
https://arxiv.org/abs/1911.11134) with the kernel's size: a layer's density is proportional to the
sum of its dimensions divided by their product, so small layers stay denser. Unlike the authors'
code, which rounds each layer by itself, the counts add up to the density asked for.
"""

import math
from collections.abc import Mapping, Sequence

from evonas.errors import ConfigError


def erk(shapes: Mapping[str, Sequence[int]], density: float) -> Mapping[str, int]:
    """Return how many weights are kept in each tensor, at least one.

    A layer that would need more weights than it has is dense; the others share what is left.

    Args:
        shapes: Of the weight tensors, by name.
        density: Share of all weights that is kept, above 0 and at most 1.

    Raises:
        ConfigError: if the density is out of range.
    """
    if not 0 < density <= 1:
        raise ConfigError(f"density is {density!r}, should be above 0 and at most 1")
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    budget = math.floor(density * sum(sizes.values()) + 0.5)
    dense = _dense(shapes, sizes, budget)
    sparse = {name: float(sum(shape)) for name, shape in shapes.items() if name not in dense}
    left = budget - sum(sizes[name] for name in dense)
    unit = left / sum(sparse.values()) if sparse else 0.0
    wanted = {name: unit * weight for name, weight in sparse.items()}
    found = {name: max(1, math.floor(count)) for name, count in wanted.items()}
    remaining = max(0, left - sum(found.values()))
    by_remainder = sorted(wanted, key=lambda name: (found[name] - wanted[name], name))
    for name in by_remainder[:remaining]:
        found[name] = min(found[name] + 1, sizes[name])
    return {name: found.get(name, sizes[name]) for name in shapes}


def _dense(
    shapes: Mapping[str, Sequence[int]], sizes: Mapping[str, int], budget: int
) -> frozenset[str]:
    """Return the layers that stay dense: those with the largest density, while it is above 1."""
    dense: set[str] = set()
    while sparse := shapes.keys() - dense:
        left = budget - sum(sizes[name] for name in dense)
        unit = left / sum(sum(shapes[name]) for name in sparse)
        densities = {name: unit * sum(shapes[name]) / sizes[name] for name in sparse}
        highest = max(densities.values())
        if highest <= 1:
            break
        dense |= {name for name in sparse if densities[name] == highest}
    return frozenset(dense)
