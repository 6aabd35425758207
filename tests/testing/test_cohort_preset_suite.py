"""The suite of cohort presets finds what is broken."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import pytest
from broken_promises import broken

from evonas.cohort_preset import Available, CohortPreset
from evonas.genome.cohort import Aggregator, Cohort, Edge, Node, Stage
from evonas.testing.cohort_presets import cohort_preset_checks

COUNT = itertools.count(1)


@final
@dataclass(frozen=True)
class MadePreset(CohortPreset):
    """Returns what it is told to."""

    paper: ClassVar[str] = "none"
    teachers: ClassVar[int] = 1
    make: Callable[[str], Cohort]

    def cohort(self, available: Available) -> Cohort:
        """Return it."""
        return self.make(next(iter(available.teachers)))


TASK = Edge(loss={"name": "task"}, to="candidate:logits")


def good_cohort(teacher: str) -> Cohort:
    kl = Edge(loss={"name": "kl"}, to="candidate:logits", source=f"{teacher}:logits")
    return Cohort(preset="made", nodes={**Cohort().nodes, **taught(teacher)}, edges=(TASK, kl))


def taught(teacher: str) -> dict[str, Node]:
    return {teacher: Node(kind="teacher", role="teacher")}


def restless(_: str) -> Cohort:
    return Cohort(preset="made", edges=(TASK,), stages=(Stage(name=f"all{next(COUNT)}"),))


def nameless(_: str) -> Cohort:
    return Cohort(edges=(TASK,))


def unknown_loss(_: str) -> Cohort:
    return Cohort(preset="made", edges=(TASK, Edge(loss={"name": "no-such"}, to="candidate:gap")))


def unknown_rule(_: str) -> Cohort:
    rule = Aggregator(rule={"name": "mean", "strength": 2}, inputs=("candidate:logits",))
    return Cohort(preset="made", aggregators={"mean": rule}, edges=(TASK,))


def untaught(_: str) -> Cohort:
    return Cohort(preset="made")


@pytest.mark.parametrize(
    ("make", "claim"),
    [
        (restless, "the cohort is the same every time"),
        (nameless, "the cohort names the preset"),
        (unknown_loss, "what it names is installed and takes its fields"),
        (unknown_rule, "what it names is installed and takes its fields"),
        (untaught, "every cohort can be trained"),
        (good_cohort, "it needs the teachers that it says"),
        (good_cohort, "what is not available is a config error"),
    ],
)
def test_a_broken_preset_is_found(make: Callable[[str], Cohort], claim: str) -> None:
    assert claim in broken(cohort_preset_checks(MadePreset(make)))


def test_a_preset_breaks_no_other_promise_than_those() -> None:
    assert broken(cohort_preset_checks(MadePreset(good_cohort))) == {
        "it needs the teachers that it says",
        "what is not available is a config error",
    }
