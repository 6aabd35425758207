"""What filter pruning does on its way: how soon it is good, what rebuilding costs, who comes back.

A run is looked at right before some of the events, and at the end. Both networks are judged then:
the wide one as it is, which a masked implementation would report, and the one that is rebuilt at
that moment without the weakest channels.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import final

from pruned_training import Candidate, Recipe, Task, accuracy, train

from evonas_trainers.pruning.soft import SoftPruner

SETTLED_WITHIN = 2.0
"""Points of accuracy around the last one; who stays there has settled."""


@final
@dataclass(frozen=True)
class Course:
    """Accuracies in percent on the way, look by look."""

    epochs: list[float] = field(default_factory=list)
    wide: list[float] = field(default_factory=list)
    rebuilt: list[float] = field(default_factory=list)

    @property
    def settled(self) -> float:
        """The first epoch from which the rebuilt network stays near its last accuracy."""
        last = self.rebuilt[-1]
        far = [i for i, one in enumerate(self.rebuilt) if abs(one - last) > SETTLED_WITHIN]
        return self.epochs[far[-1] + 1 if far else 0]

    @property
    def gap(self) -> float:
        """Mean distance of wide and rebuilt network in the second half."""
        pairs = list(zip(self.wide, self.rebuilt, strict=True))
        return statistics.mean(abs(wide - rebuilt) for wide, rebuilt in pairs[len(pairs) // 2 :])


def followed(
    candidate: Candidate, task: Task, recipe: Recipe, every: int
) -> Mapping[str, float | list[float]]:
    """Train and look on; return what the course came to."""
    course, steps_an_epoch = Course(), recipe.steps_an_epoch(task)

    def look(steps: int) -> None:
        course.epochs.append(steps / steps_an_epoch)
        course.rebuilt.append(accuracy(candidate.rebuilt(), task))
        dense = candidate.plan is None
        course.wide.append(course.rebuilt[-1] if dense else accuracy(candidate.model, task))

    seconds = train(candidate, task, recipe, every, look)
    final_accuracy = accuracy(candidate.rebuilt(), task)
    return {
        "final": final_accuracy,
        "auc": statistics.mean(course.rebuilt),
        "settled": course.settled,
        "gap": math.nan if candidate.plan is None else course.gap,
        "last_gap": math.nan if candidate.plan is None else course.wide[-1] - final_accuracy,
        **_choices(candidate),
        "seconds": seconds,
        "wide": course.wide,
        "rebuilt": course.rebuilt,
    }


def _choices(candidate: Candidate) -> Mapping[str, float]:
    """Return how many percent of the channels came back at an event, on average and at most.

    The first event cannot bring any back. What changed its fate has gone or come back, and by the
    difference more have gone than before.
    """
    if candidate.plan is None or not isinstance(candidate.pruner, SoftPruner):
        return {"revived": math.nan, "most_revived": math.nan}
    channels = sum(group.size for group in candidate.plan.groups if group.keep < group.size)
    revived = [
        100 * (round(event.churn * channels) - (event.pruned - before.pruned)) / 2 / channels
        for before, event in pairwise(candidate.pruner.events)
    ]
    return {"revived": statistics.mean(revived), "most_revived": max(revived)}
