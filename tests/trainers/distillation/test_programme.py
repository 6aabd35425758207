"""Stages in time, and what hangs on them."""

import pytest

from evonas.genome.cohort import Aggregator, Cohort, Edge, Stage
from evonas.genome.schedule import Curve
from evonas_trainers.distillation.learning.programme import Programme


def edge(tag: str, source: str = "teacher:logits", weight: Curve | None = None) -> Edge:
    ramp = Curve(kind="linear", start=0.0, end=1.0)
    return Edge(
        loss={"name": "kl"}, to="candidate:logits", source=source, weight=weight or ramp, tag=tag
    )


def programme(*edges: Edge, restarts: tuple[bool, ...] = (False, False, False)) -> Programme:
    """Return one of three stages: a quarter with `early`, a half with `mid`, a quarter with all."""
    tags = (("early",), ("mid",), ())
    stages = tuple(
        Stage(name=f"stage{number}", share=share, tags=tags[number], restart=restarts[number])
        for number, share in enumerate((0.25, 0.5, 0.25))
    )
    return Programme(Cohort(edges=edges, stages=stages))


@pytest.mark.parametrize(
    ("progress", "place"), [(0.0, 0), (0.249, 0), (0.25, 1), (0.74, 1), (0.75, 2), (1.0, 2)]
)
def test_a_step_belongs_to_the_stage_that_has_begun(progress: float, place: int) -> None:
    assert programme().place(progress) == place


def test_rounding_does_not_put_off_a_stage() -> None:
    stages = tuple(Stage(share=share) for share in (0.1, 0.2, 0.7))
    three_tenths = 3 * 0.1
    assert three_tenths != 0.3
    assert Programme(Cohort(stages=stages)).place(0.3) == 2


def test_tags_choose_edges_and_a_stage_without_tags_has_all() -> None:
    early, mid = edge("early"), edge("mid", "assistant:logits")
    plan = programme(early, mid)
    first, second, third = plan.cohort.stages
    assert plan.active(first) == (early,)
    assert plan.active(second) == (mid,)
    assert plan.active(third) == (early, mid)


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 0.0), (0.25, 0.5), (0.5, 0.5), (0.75, 0.5), (1.0, 1.0)]
)
def test_a_weight_rests_while_its_edge_does(progress: float, expected: float) -> None:
    """The ramp of an edge of the first and the third quarter runs over these two."""
    early = edge("early")
    assert programme(early).weight(early, progress) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("restarts", "progress", "expected"),
    [
        ((False, False, False), 0.5, (0.0, 1.0)),
        ((True, False, False), 0.5, (0.0, 1.0)),
        ((False, True, False), 0.1, (0.0, 0.25)),
        ((False, True, False), 0.9, (0.25, 1.0)),
        ((False, True, True), 0.3, (0.25, 0.75)),
        ((False, True, True), 0.75, (0.75, 1.0)),
    ],
)
def test_the_learning_rate_starts_anew_with_stages_that_say_so(
    restarts: tuple[bool, bool, bool], progress: float, expected: tuple[float, float]
) -> None:
    assert programme(restarts=restarts).span(progress) == expected


def test_an_aggregator_is_read_through_its_inputs_and_queries() -> None:
    mean = {"name": "mean"}
    aggregators = {
        "inner": Aggregator(rule=mean, inputs=("a:logits", "b:logits"), learns="labels"),
        "outer": Aggregator(rule=mean, inputs=("inner",), queries=("c:last",)),
        "idle": Aggregator(rule=mean, inputs=("d:logits",)),
    }
    learning = Stage(train=("candidate", "inner"), tags=("none",))
    reading = Stage(tags=("mid",))
    cohort = Cohort(
        aggregators=aggregators, edges=(edge("mid", "outer"),), stages=(learning, reading)
    )
    plan = Programme(cohort)
    assert plan.read(reading) == {"candidate", "a", "b", "c"}
    assert plan.read(learning) == {"a", "b"}
    assert plan.learning(learning) == ("inner",)
    assert plan.learning(reading) == ()
