"""What happens when in a cohort's training: the stages, laid out over its progress from 0 to 1."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import final

from evonas.genome.cohort import Cohort, Edge, Stage, split_end

_SLACK = 1e-9
"""A stage that begins between two steps by no more than rounding begins with the later one."""


@final
@dataclass(frozen=True)
class Programme:
    """The stages of a cohort, in time."""

    cohort: Cohort

    @property
    def starts(self) -> tuple[float, ...]:
        """When every stage begins, and at last the end of the training."""
        shares = [stage.share for stage in self.cohort.stages]
        return (0.0, *accumulate(share / math.fsum(shares) for share in shares))

    def place(self, progress: float) -> int:
        """Return which stage a step belongs to that is taken after `progress` of the training."""
        begun = [start <= progress + _SLACK for start in self.starts[:-1]]
        return sum(begun) - 1

    def active(self, stage: Stage) -> tuple[Edge, ...]:
        """Return the edges of a stage."""
        return tuple(edge for edge in self.cohort.edges if _is_active(edge, stage))

    def read(self, stage: Stage) -> frozenset[str]:
        """Return the nodes that a stage's edges and its learning aggregators read."""
        return self.read_by(self.active(stage)) | self._below(self.learning(stage))

    def read_by(self, edges: Iterable[Edge]) -> frozenset[str]:
        """Return the nodes that some edges read."""
        return self._below(end for edge in edges for end in (edge.to, edge.source) if end)

    def _below(self, ends: Iterable[str]) -> frozenset[str]:
        pending = [*ends]
        found: set[str] = set()
        while pending:
            end = pending.pop()
            aggregator = self.cohort.aggregators.get(end)
            if aggregator is None:
                found.add(split_end(end)[0])
            else:
                pending += [*aggregator.inputs, *aggregator.queries]
        return frozenset(found)

    def learning(self, stage: Stage) -> tuple[str, ...]:
        """Return the aggregators that learn from the labels in a stage."""
        learners = self.cohort.aggregators.items()
        return tuple(
            name for name, one in learners if one.learns == "labels" and name in stage.train
        )

    def weight(self, edge: Edge, progress: float) -> float:
        """Return an edge's weight now; its curve runs over the stages in which it is active."""
        passed = whole = 0.0
        for stage, start, end in zip(
            self.cohort.stages, self.starts, self.starts[1:], strict=False
        ):
            if _is_active(edge, stage):
                whole += end - start
                passed += min(max(progress - start, 0.0), end - start)
        return edge.weight.at(passed / whole) if whole else 0.0

    def span(self, progress: float) -> tuple[float, float]:
        """Return from when to when the learning rate's schedule runs that is at work now."""
        place = self.place(progress)
        restarts = [
            start
            for stage, start in zip(self.cohort.stages, self.starts, strict=False)
            if stage.restart
        ]
        now = self.starts[place]
        begin = max((start for start in restarts if start <= now), default=0.0)
        end = min((start for start in restarts if start > now), default=1.0)
        return begin, end


def _is_active(edge: Edge, stage: Stage) -> bool:
    return not stage.tags or edge.tag in stage.tags
