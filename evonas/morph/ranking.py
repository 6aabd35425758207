"""Counts from one ranking of all filters of a network by a x norm + b, with (a, b) for each group.

Towards Efficient Model Compression via Learned Global Ranking (LeGR), Chin, Ding, Zhang and
Marculescu, 2020, https://arxiv.org/abs/1904.12368. One ranking serves every target: filters go in
its order until the network meets it. Difference: where the last filter to go was worth more than
what was missing, cheaper ones come back, so that rankings are compared at one cost.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from evonas.errors import EditError
from evonas.genome.pruning import Kept
from evonas.morph.repair import TOLERANCE, Budget
from evonas.seeds import Rng

AFFINE = (1.0, 0.0)
"""The ranking by the norm itself."""


def ranked(
    budget: Budget,
    norms: Mapping[str, Sequence[float]],
    affine: Mapping[str, tuple[float, float]],
    most: float,
) -> Mapping[str, Kept]:
    """Return the counts after the lowest filters have gone, as few as it takes to cost `most`.

    Args:
        budget: What counts cost.
        norms: Of the filters of each group; groups without stay whole.
        affine: (a, b) of each group.
        most: The cost that must not be exceeded.

    Raises:
        EditError: if the ranking cannot get there, or the norms are of another network.
    """
    scores: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    for place, (name, size) in enumerate(budget.prunable.sizes.items()):
        given = norms.get(name, ())
        if len(given) not in {0, size}:
            raise EditError(f"{name} has {size} filters, and {len(given)} norms are given")
        factor, shift = affine.get(name, AFFINE)
        scores.append(factor * np.asarray(given, dtype=np.float64) + shift)
        owners.append(np.full(len(given), place))
    order = np.concatenate(owners)[np.argsort(np.concatenate(scores), kind="stable")]

    def left(num_gone: int) -> Sequence[int]:
        gone = np.bincount(order[:num_gone], minlength=len(budget.sizes)).tolist()
        rows = zip(budget.sizes, gone, budget.least, strict=True)
        return [max(size - number, least) for size, number, least in rows]

    low, high = 0, len(order)
    if budget.cost(left(high)) > most:
        raise EditError(
            f"the ranking of {high} filters leads to {budget.cost(left(high)):g} {budget.measure}"
            f" at least, and {most:g} are allowed"
        )
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if budget.cost(left(middle)) <= most else (middle + 1, high)
    return budget.named(_refilled(budget, left(low), order[:low].tolist(), most))


def _refilled(
    budget: Budget, counts: Sequence[int], gone: Sequence[int], most: float
) -> Sequence[int]:
    """Return the counts with filters that fit put back, last gone first."""
    closed: set[int] = set()
    for place in reversed(gone):
        if budget.cost(counts) >= (1 - TOLERANCE) * most:
            break
        more = [count + (place == other) for other, count in enumerate(counts)]
        if place in closed or more[place] > budget.sizes[place] or budget.cost(more) > most:
            closed.add(place)
        else:
            counts = more
    return counts


def perturbed(
    affine: Mapping[str, tuple[float, float]],
    norms: Mapping[str, Sequence[float]],
    names: Sequence[str],
    step: float,
    rng: Rng,
) -> Mapping[str, tuple[float, float]]:
    """Return the pairs with a random factor on a, and a random number on b, of the named groups."""
    moved = dict(affine)
    for name in names:
        factor, shift = affine.get(name, AFFINE)
        spread = float(np.std(norms[name]))
        moved[name] = (
            factor * float(np.exp(rng.normal(0.0, step))),
            shift + float(rng.normal(0.0, 1.0)) * spread * step,
        )
    return moved
