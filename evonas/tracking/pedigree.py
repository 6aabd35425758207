"""What the record of one candidate says of others: its line's cost, its edits' credit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from evonas.genome import CONTROL
from evonas.history import Cost, Individual, Objective
from evonas.lineage import brood, edit_credits, line_cost
from evonas.tracking.record import Record, record


@final
@dataclass
class Pedigree:
    """All individuals of a search so far, in the order in which they came.

    It holds references to what the search's history holds anyway, and two small values for each.

    Attributes:
        objective: The first one, in which credit is counted.
        individuals: By number.
    """

    objective: Objective
    individuals: dict[int, Individual] = field(default_factory=dict)
    _costs: dict[int, Cost] = field(default_factory=dict)
    _broods: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def add(self, one: Individual) -> Sequence[int]:
        """Take an individual in; return the numbers of those whose records it changes, its own too.

        A control changes what its siblings have earned.
        """
        self.individuals[one.number] = one
        self._costs[one.number] = line_cost(one, self._costs)
        siblings = self._siblings(one)
        siblings.append(one.number)
        return siblings if one.birth.operator == CONTROL else [one.number]

    def credit(self, number: int) -> float | None:
        """Return what the edits of an individual earned, if a control is known."""
        one = self.individuals[number]
        siblings = [self.individuals[sibling] for sibling in self._siblings(one)]
        return edit_credits(siblings, self.objective).get(number)

    def record(self, number: int) -> Record:
        """Return the record of an individual."""
        one = self.individuals[number]
        parents = [self.individuals[parent] for parent in one.birth.parents[:1]]
        genome = parents[0].birth.genome if parents else None
        origin = self.individuals[0].birth.genome
        return record(one, genome, self._costs[number], self.credit(number), origin)

    def _siblings(self, one: Individual) -> list[int]:
        shared = brood(one)
        return [] if shared is None else self._broods.setdefault(shared, [])
