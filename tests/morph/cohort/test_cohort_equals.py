"""A copy of one that attends to others joins these; without labels nothing looks at any."""

from dataclasses import replace

import pytest
from cohorts import OPTIONS, contrastive, edge, mutual, with_cohort

from evonas.errors import EditError
from evonas.genome import Genome
from evonas.genome.cohort import Aggregator, Cohort, Learns
from evonas.genome.cohort_kinds import AggregatorKind
from evonas.morph.cohort.check import check
from evonas.morph.cohort.nodes import CohortClone, CohortDrop
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.mutation import Mutation
from evonas.seeds import stream

LOGITS = ("candidate:logits", "peer:logits")


def options(*, detaches: bool) -> CohortOptions:
    kind = AggregatorKind(queries="each", has_rows=True, has_parameters=True, detaches=detaches)
    return replace(OPTIONS, aggregators={**OPTIONS.aggregators, "attention": kind})


def attending(learns: Learns = "edges") -> Genome:
    """Return two peers, each of which learns from what it attends to of both."""
    cohort = mutual()
    queries = tuple(end.replace("logits", "gap") for end in LOGITS)
    attention = Aggregator(
        rule={"name": "attention"},
        inputs=LOGITS,
        queries=queries,
        learns=learns,
    )
    tasks = tuple(one for one in cohort.edges if one.loss["name"] == "task")
    stage = replace(cohort.stages[0], train=(*cohort.stages[0].train, "together"))
    lessons = (edge("kl", "together", end) for end in LOGITS)
    found = replace(
        cohort,
        aggregators={"together": attention},
        edges=(*tasks, *lessons),
        stages=(stage,),
    )
    return with_cohort(found)


def after(mutation: Mutation, genome: Genome) -> Cohort:
    edit = mutation.propose(genome, stream(0))
    assert edit is not None
    found = Cohort.of(mutation.apply(genome, edit))
    assert found is not None
    return found


def test_the_copy_of_one_that_attends_joins_those_it_attends_to() -> None:
    cohort = after(CohortClone(options=options(detaches=True)), attending())
    together = cohort.aggregators["together"]
    assert together.inputs == (*LOGITS, "peer1:logits")
    assert together.queries == ("candidate:gap", "peer:gap", "peer1:gap")
    assert [one.name for one in cohort.edges if "peer1" in one.name] == [
        "kl together to peer1:logits",
        "task to peer1:logits",
    ]


def test_the_copy_of_one_whose_target_moves_its_sources_learns_from_the_candidate() -> None:
    cohort = after(CohortClone(options=options(detaches=False)), attending())
    assert cohort.aggregators["together"].inputs == LOGITS
    assert "kl candidate:logits to peer1:logits" in {one.name for one in cohort.edges}


def test_the_last_of_those_who_attend_learns_alone() -> None:
    cohort = after(CohortDrop(options=options(detaches=True)), attending())
    assert not cohort.aggregators
    assert [one.name for one in cohort.edges] == ["task to candidate:logits"]


def test_without_labels_no_aggregator_learns_from_them() -> None:
    given = options(detaches=False)
    check(attending("labels"), given)
    with pytest.raises(EditError, match="there are no labels from which it could learn"):
        check(attending("labels"), given.without_labels())


def test_without_labels_no_loss_looks_for_samples_of_a_class() -> None:
    check(with_cohort(contrastive()), OPTIONS)
    with pytest.raises(EditError, match="unknown loss"):
        check(with_cohort(contrastive()), OPTIONS.without_labels())


def test_without_labels_batches_are_drawn_from_all_samples() -> None:
    left = OPTIONS.without_labels()
    assert left.samplers == ({"name": "shuffled"},)
    assert not left.scorers
