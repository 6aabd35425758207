"""What a cohort is refused for: by the name of the node, the edge, the aggregator or the stage."""

from dataclasses import replace
from typing import Any

import pytest
from cohorts import (
    OPTIONS,
    PEER,
    SEED,
    TAPS,
    TEACHER,
    contrastive,
    edge,
    kd,
    mutual,
    task,
    taught,
    with_cohort,
    with_taps,
)

from evonas.errors import EditError
from evonas.genome import Genome
from evonas.genome.cohort import Aggregator, Cohort, Edge, Node, Stage
from evonas.genome.cohort_kinds import Tap
from evonas.genome.members import with_members
from evonas.genome.schedule import Curve
from evonas.morph.cohort.check import check
from evonas.morph.cohort.options import CohortOptions


def refused(cohort: Cohort, options: CohortOptions = OPTIONS) -> str:
    """Return why the seed cannot have this cohort."""
    with pytest.raises(EditError) as caught:
        check(with_cohort(cohort), options)
    return str(caught.value)


def plus(cohort: Cohort, *edges: Edge) -> Cohort:
    return replace(cohort, edges=(*cohort.edges, *edges))


def staged(**fields: Any) -> Cohort:
    return replace(kd(), stages=(replace(Stage(), **fields),))


@pytest.mark.parametrize("cohort", [kd(), mutual(), taught(), contrastive()])
def test_a_published_cohort_passes(cohort: Cohort) -> None:
    check(with_cohort(cohort), OPTIONS)


def test_a_genome_without_a_cohort_passes() -> None:
    check(SEED, OPTIONS)


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        (edge("kl", "nobody:logits", "candidate:logits"), "the cohort has no 'nobody'"),
        (edge("kl", "teacher:prob", "candidate:logits"), "the taps of teacher are s1, s2, last"),
        (edge("kl", "teacher:gap", "candidate:logits"), "'teacher:gap' has the shape"),
        (edge("hint", "teacher:gap", "candidate:s1"), "maps are needed"),
        (edge("z-hint", "teacher:s2", "candidate:s1"), "has the shape"),
        (edge("hnt", "teacher:logits", "candidate:logits"), "did you mean 'hint'"),
        (edge("kl", "", "candidate:logits"), "'kl' needs a source"),
        (edge("task", "teacher:logits", "candidate:logits"), "'task' takes no source"),
        (edge("kl", "candidate:logits", "teacher:logits"), "ends at what is frozen"),
        (edge("hint", "candidate:s1", "candidate:s1"), "starts where it ends"),
        (edge("distance", "candidate:gap", "candidate:logits", both=True), "of 'candidate'"),
        (replace(task(), weight=Curve(end=-1.0)), "never negative"),
        (
            Edge(
                loss={"name": "mse-logits", "temperature": 0},
                source="teacher:logits",
                to="candidate:logits",
            ),
            "a temperature is above 0, given 0",
        ),
        (task(tag=""), "there are 2 edges 'task to candidate:logits'"),
    ],
)
def test_an_edge_that_joins_nothing_is_refused_by_name(added: Edge, reason: str) -> None:
    message = refused(plus(kd(), added))
    assert reason in message
    assert added.loss["name"] in message


def test_teachers_of_other_classes_are_refused() -> None:
    options = with_taps({**TAPS, "logits": Tap("head", (100,))})
    message = refused(kd(), options)
    assert "'kl teacher:logits to candidate:logits'" in message
    assert "'teacher:logits' has 100 classes, and 'candidate:logits' 10" in message


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ({"scaffold": TEACHER}, "other than leader, scaffold"),
        ({"a teacher": TEACHER}, "is an identifier"),
        ({"stranger": TEACHER}, "no teacher is called 'stranger'"),
        ({"second": Node(kind="candidate")}, "it alone, is called 'candidate'"),
        ({"past": Node(kind="snapshot", of="nobody")}, "a snapshot of 'nobody'"),
        ({"past": Node(kind="snapshot", of="teacher")}, "a snapshot of 'teacher'"),
        ({"shallow": Node(kind="view", of="candidate")}, "either depths or a trunk"),
        ({"half": Node(kind="view", of="candidate", trunk="s9")}, "no tap 's9'"),
        ({"half": Node(kind="view", of="candidate", depths=(9, 9))}, "the view 'half'"),
    ],
)
def test_a_node_that_is_nothing_is_refused_by_name(nodes: dict[str, Node], reason: str) -> None:
    assert reason in refused(replace(kd(), nodes={**kd().nodes, **nodes}))


def test_members_and_their_networks_go_together() -> None:
    whole = with_cohort(mutual())
    with pytest.raises(EditError, match="'peer' has no network"):
        check(with_members(whole, {}), OPTIONS)
    lone = with_members(with_cohort(kd()), {"peer": SEED.architecture["net"]})
    with pytest.raises(EditError, match="'peer' has a network and is no member"):
        check(lone, OPTIONS)


def test_only_a_candidate_of_one_network_has_a_cohort() -> None:
    graph = SEED.architecture["net"]
    genome = kd().put_into(Genome({"actor": graph, "critic": graph}))
    with pytest.raises(EditError, match="given actor, critic"):
        check(genome, OPTIONS)


def test_peers_that_only_repeat_each_other_are_refused() -> None:
    rumours = replace(mutual(), edges=mutual().edges[2:])
    assert "'candidate' learns from nobody who knows the labels" in refused(rumours)


def test_an_edge_of_no_weight_is_allowed_and_anchors_nobody() -> None:
    dead = replace(edge("kl", "teacher:logits", "candidate:logits"), weight=Curve(end=0.0))
    check(with_cohort(replace(kd(), edges=(task(), dead))), OPTIONS)
    silent = replace(kd(), edges=(replace(task(), weight=Curve(end=0.0)), dead))
    assert "learns from nobody" in refused(silent)


def test_a_snapshot_knows_no_more_than_whom_it_copies() -> None:
    cohort = Cohort(
        nodes={**kd().nodes, "past": Node(kind="snapshot", of="candidate")},
        edges=(edge("kl", "past:logits", "candidate:logits"),),
        stages=(Stage(snapshots=("past",)),),
    )
    assert "'candidate' learns from nobody" in refused(cohort)


def test_logits_that_no_edge_ends_at_are_not_read_out() -> None:
    cohort = replace(kd(), edges=(edge("hint", "teacher:s1", "candidate:s1"),))
    assert "the logits of 'candidate' are read out" in refused(cohort)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"share": 0.5}, "sum to 1, given 0.5"),
        ({"train": ()}, "trains nothing"),
        ({"train": ("candidate", "teacher")}, "'teacher' is a teacher and stays as it is"),
        ({"train": ("candidate", "nobody")}, "no 'nobody' to train"),
        ({"tags": ("hint",)}, "no edge has the tag 'hint'"),
        ({"sampler": {"name": "shufled"}}, "did you mean 'shuffled'"),
        ({"sampler": {"name": "pool"}}, "wants a scorer"),
        ({"scorer": "teacher"}, "takes no scorer"),
        ({"sampler": {"name": "pool"}, "scorer": "nobody"}, "'nobody' is no node"),
        ({"snapshots": ("teacher",)}, "'teacher' is no snapshot"),
    ],
)
def test_a_stage_that_cannot_be_run_is_refused(fields: dict[str, Any], reason: str) -> None:
    assert reason in refused(staged(**fields))


def test_a_snapshot_is_not_used_before_it_is_taken() -> None:
    warm, main = taught().stages
    late = replace(taught(), stages=(replace(warm, tags=()), main))
    assert "the stage 'warm': the snapshot 'past' is used before" in refused(late)


def test_a_destination_is_not_frozen_while_its_edge_is_active() -> None:
    stages = (
        Stage(name="both", share=0.5, train=("candidate", "peer")),
        Stage(name="alone", share=0.5),
    )
    message = refused(replace(mutual(), stages=stages))
    assert "the stage 'alone': the edge" in message
    assert "to peer:logits' ends at what is frozen" in message


def test_an_edge_of_no_stage_is_refused() -> None:
    tagged = edge("hint", "teacher:s2", "candidate:s2", tag="third")
    assert "tag 'third' is in no stage" in refused(plus(taught(), tagged))


def test_a_network_that_is_never_trained_is_refused() -> None:
    edges = tuple(one for one in mutual().edges if not one.to.startswith("peer"))
    cohort = replace(mutual(), edges=edges, stages=(Stage(),))
    assert "'peer' is trained in no stage" in refused(cohort)


def test_a_batch_too_small_for_a_contrast_is_refused_by_edge() -> None:
    message = refused(contrastive(), replace(OPTIONS, batch_size=3))
    assert "needs 2 samples of each of 2 classes at least, and a batch has 3" in message
    assert "'icl peer:gap to candidate:gap'" in message


def test_a_batch_too_large_for_a_relation_is_refused_by_edge() -> None:
    cohort = plus(kd(), edge("angle", "teacher:gap", "candidate:gap"))
    message = refused(cohort, replace(OPTIONS, batch_size=256))
    assert "'angle teacher:gap to candidate:gap' takes batches of at most 128" in message


@pytest.mark.parametrize("sampler", [{"name": "shuffled"}, {"name": "per-class", "count": 1}])
def test_a_contrast_without_positives_is_refused(sampler: dict[str, Any]) -> None:
    cohort = contrastive()
    stages = (replace(cohort.stages[0], sampler=sampler),)
    assert "take {'name': 'per-class', 'count': 2}" in refused(replace(cohort, stages=stages))


def attention(**fields: Any) -> Cohort:
    """Return two peers of which each learns from its own row of an attention."""
    ends = ("candidate:logits", "peer:logits")
    rule = {"name": "attention"}
    queries = ("candidate:gap", "peer:gap")
    rows = replace(Aggregator(rule=rule, inputs=ends, queries=queries), **fields)
    return replace(
        mutual(),
        aggregators={"rows": rows},
        edges=(task(), task("peer"), edge("kl", "rows", "candidate:logits", both=True)),
    )


def test_a_row_is_for_a_node_that_it_has_one_for() -> None:
    check(with_cohort(attention()), OPTIONS)
    third = replace(attention(), nodes={**attention().nodes, "third": PEER})
    third = plus(third, task("third"), edge("kl", "rows", "third:logits"))
    third = replace(third, stages=(Stage(train=("candidate", "peer", "third")),))
    assert "an output for each of candidate, peer, and none for 'third'" in refused(third)


def test_no_loss_draws_all_rows_at_once() -> None:
    drawn = plus(attention(), Edge(loss={"name": "task"}, to="rows"))
    assert "the edge 'task to rows': 'rows' has several outputs" in refused(drawn)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"inputs": ()}, "has no inputs"),
        ({"inputs": ("candidate:logits", "peer:gap")}, "'peer:gap' has the shape"),
        ({"queries": ("candidate:gap",)}, "needs 2 queries, given 1"),
        ({"queries": ("candidate:s1", "peer:gap")}, "vectors are needed"),
        ({"inputs": ("candidate:logits", "rows")}, "made of itself"),
        ({"rule": {"name": "meen"}}, "did you mean 'mean'"),
    ],
)
def test_an_aggregator_that_joins_nothing_is_refused(fields: dict[str, Any], reason: str) -> None:
    message = refused(attention(**fields))
    assert reason in message
    assert "the aggregator 'rows'" in message


@pytest.mark.parametrize("readout", [(), ("teacher",), ("candidate", "teacher")])
def test_only_the_candidate_and_its_views_are_read_out(readout: tuple[str, ...]) -> None:
    assert "read" in refused(replace(kd(), readout=readout))


def test_limits_are_kept() -> None:
    assert "raise max_edges = 1" in refused(kd(), replace(OPTIONS, max_edges=1))
    assert "raise max_nodes = 0" in refused(mutual(), replace(OPTIONS, max_nodes=0))
