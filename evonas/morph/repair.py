"""Counts that meet a target: one factor on all the shares that are kept, bisected on real networks.

A target is met by construction and not by a penalty, so that every candidate is worth its training.
Counts are whole, and rounding them down leaves a rest, which single channels fill again: the result
is within `TOLERANCE` below the target wherever single channels are worth less than that.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from evonas.errors import EditError
from evonas.genome import cost
from evonas.genome.pruning import Kept
from evonas.morph.keep import Prunable

KEPT = "kept"
"""The measure that counts what is kept, all names together, whatever it costs."""

TOLERANCE = 0.02
_HALVINGS = 40
_ROUNDING = 1e-9
"""Keeps 0.7 x 10 from being rounded down to 6, and 0.1 x 30 from being rounded up to 4."""

_COUNTED = {"macs": cost.macs, "parameters": cost.parameters}
_Counts = tuple[int, ...]


@final
@dataclass(frozen=True, eq=False)
class Budget:
    """What counts of a genome's channels or single weights may cost.

    Attributes:
        prunable: What the counts are of.
        measure: `macs` or `parameters` of the rebuilt network, or `KEPT`.
        least_ratio: Share that each name keeps at least.
    """

    prunable: Prunable
    measure: str
    least_ratio: float
    _known: dict[_Counts, float] = field(default_factory=dict, init=False, repr=False)

    @property
    def sizes(self) -> _Counts:
        """How much there is of each name."""
        return tuple(self.prunable.sizes.values())

    @property
    def least(self) -> _Counts:
        """The least that each name may keep."""
        ratio = self.least_ratio
        return tuple(max(1, math.ceil(ratio * size - _ROUNDING)) for size in self.sizes)

    def cost(self, counts: Sequence[int]) -> float:
        """Return what the network with these counts costs."""
        counts = tuple(counts)
        if counts not in self._known:
            self._known[counts] = self._cost(counts)
        return self._known[counts]

    def named(self, counts: Sequence[int]) -> Mapping[str, Kept]:
        """Return counts as genes."""
        sizes = self.prunable.sizes.items()
        return {name: Kept(count, size) for (name, size), count in zip(sizes, counts, strict=True)}

    def within(self, ratios: Mapping[str, float], most: float) -> Mapping[str, Kept]:
        """Return the counts for kept shares, scaled all alike to cost `most` or little less.

        Args:
            ratios: A share above 0 of each name, 1 where it is missing; only their proportions
                count.
            most: The cost that must not be exceeded.

        Raises:
            EditError: if even the smallest possible network costs more.
        """
        if self.cost(self.least) > most:
            raise EditError(
                f"the smallest possible network has {self.cost(self.least):g} {self.measure}, and"
                f" {most:g} are allowed; allow more, or lower least_ratio = {self.least_ratio!r}"
            )
        wanted = [ratios.get(name, 1.0) * size for name, size in self.prunable.sizes.items()]
        pairs = zip(self.sizes, wanted, strict=True)
        low, high = 0.0, max((size / want for size, want in pairs), default=1.0)
        if self.cost(self.sizes) <= most:
            return self.named(self.sizes)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            fits = self.cost(self._scaled(wanted, middle)) <= most
            low, high = (middle, high) if fits else (low, middle)
        counts = self._scaled(wanted, low)
        return self.named(self._filled(counts, [low * want for want in wanted], most))

    def _scaled(self, wanted: Sequence[float], factor: float) -> _Counts:
        """Return the whole counts below `factor` times what is wanted, as far as allowed."""
        rows = zip(wanted, self.least, self.sizes, strict=True)
        return tuple(
            min(max(math.floor(factor * want + _ROUNDING), least), size)
            for want, least, size in rows
        )

    def _filled(self, counts: _Counts, wanted: Sequence[float], most: float) -> _Counts:
        """Return the counts with single channels added, the most wanted ones first."""
        filled = list(counts)
        before: list[int] = []
        while before != filled and (not before or self.cost(filled) < (1 - TOLERANCE) * most):
            before = list(filled)
            order = sorted(range(len(filled)), key=lambda place: filled[place] - wanted[place])
            for place in order:
                more = [count + (place == other) for other, count in enumerate(filled)]
                if more[place] <= self.sizes[place] and self.cost(more) <= most:
                    filled = more
        return tuple(filled)

    def _cost(self, counts: _Counts) -> float:
        if self.measure == KEPT:
            return sum(counts)
        if self.measure not in _COUNTED:
            known = ", ".join([*_COUNTED, KEPT])
            raise EditError(f"{self.measure!r} is no measure of a target (known: {known})")
        count = _COUNTED[self.measure]
        genome = self.prunable.thinned(self.named(counts))
        return sum(count(graph) for graph in genome.architecture.values())


def repaired(
    prunable: Prunable,
    kept: Mapping[str, Kept],
    target: tuple[str, float],
    least_ratio: float,
) -> Mapping[str, Kept]:
    """Return counts scaled all alike until they meet a target from below.

    Args:
        prunable: What the counts are of.
        kept: Where to start; a name that is missing starts whole.
        target: A measure as in `Budget`, and the number that must not be exceeded.
        least_ratio: Share that each name keeps at least.

    Raises:
        EditError: if even the smallest possible network has more.
    """
    ratios = {name: gene.keep / gene.width for name, gene in kept.items()}
    return Budget(prunable, target[0], least_ratio).within(ratios, target[1])
