"""The programme of a cohort under edits: the training keeps its length, and nobody is forgotten."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from cohort_walks import cohort_of
from cohorts import OPTIONS, kd, mutual, taught, with_cohort

from evonas.genome import Genome
from evonas.genome.cohort import Cohort, Stage
from evonas.morph.cohort.check import check
from evonas.morph.cohort.stages import CohortSampler, CohortStage
from evonas.seeds import stream

STAGE = CohortStage(options=OPTIONS)
SAMPLER = CohortSampler(options=OPTIONS)


def staged(cohort: Cohort) -> Cohort:
    """Return the cohort with its one stage as two."""
    stage = cohort.stages[0]
    halves = (replace(stage, share=0.5), replace(stage, name="late", share=0.5))
    return replace(cohort, stages=halves)


def variants(cohort: Cohort, mutation: CohortStage | CohortSampler, count: int) -> list[Cohort]:
    """Return what becomes of a cohort by drawn edits, each of the same parent."""
    genome = with_cohort(cohort)
    found: list[Cohort] = []
    for seed in range(count):
        edit = mutation.propose(genome, stream(seed))
        if edit is not None:
            child = type(mutation)().apply(genome, edit)
            check(child, OPTIONS)
            found.append(cohort_of(child))
    return found


@pytest.mark.parametrize("make", [kd, mutual, taught, lambda: staged(mutual())])
def test_the_shares_of_all_stages_always_sum_to_one(make: Callable[[], Cohort]):
    for child in variants(make(), STAGE, 12):
        assert sum(stage.share for stage in child.stages) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("make", [kd, mutual, lambda: staged(mutual())])
def test_the_nodes_and_the_losses_stay(make: Callable[[], Cohort]):
    before = make()
    for child in variants(before, STAGE, 12):
        assert child.nodes.keys() == before.nodes.keys()
        assert {edge.name for edge in child.edges} == {edge.name for edge in before.edges}


def test_one_stage_is_split_and_two_are_merged():
    assert {len(child.stages) for child in variants(kd(), STAGE, 6)} == {2}
    assert {len(child.stages) for child in variants(staged(kd()), STAGE, 30)} == {1, 2, 3}


def test_stages_have_names_of_their_own():
    genome: Genome = with_cohort(kd())
    for seed in range(14):
        edit = STAGE.propose(genome, stream(seed))
        genome = genome if edit is None else STAGE.apply(genome, edit)
    names = [stage.name for stage in cohort_of(genome).stages]
    assert len(names) > 2
    assert len(set(names)) == len(names)


def test_a_split_stage_takes_its_snapshots_once():
    split = [child for child in variants(taught(), STAGE, 30) if len(child.stages) == 3]
    assert split
    for child in split:
        assert [name for stage in child.stages for name in stage.snapshots] == ["past"]


def frozen_somewhere(cohort: Cohort) -> bool:
    return any("peer" not in stage.train for stage in cohort.stages)


def test_a_member_can_be_frozen_in_a_stage_and_thawed_again():
    frozen = [one for one in variants(staged(mutual()), STAGE, 30) if frozen_somewhere(one)]
    assert frozen
    for child in frozen:
        assert any("peer" in stage.train for stage in child.stages)
    assert not all(frozen_somewhere(one) for one in variants(frozen[0], STAGE, 30))


def test_a_boundary_moves_and_leaves_both_stages_something():
    shares = {
        child.stages[0].share
        for child in variants(staged(kd()), STAGE, 30)
        if len(child.stages) == 2
    }
    assert len(shares - {0.5}) > 2
    assert all(0.2 <= share <= 0.8 for share in shares)


def test_samplers_are_those_of_the_search_and_scorers_see_every_sample():
    children = variants(taught(), SAMPLER, 30)
    stages = [stage for child in children for stage in child.stages]
    assert {stage.sampler["name"] for stage in stages} == {"shuffled", "per-class", "pool"}
    assert all(bool(stage.scorer) == (stage.sampler["name"] == "pool") for stage in stages)
    assert len({stage.scorer for stage in stages}) > 2


def test_without_a_second_sampler_there_is_nothing_to_choose():
    one = CohortSampler(options=replace(OPTIONS, samplers=({"name": "shuffled"},)))
    assert one.propose(with_cohort(kd()), stream(0)) is None


def test_the_same_stages_are_no_edit():
    alone = replace(kd(), stages=(Stage(),))
    present = with_cohort(alone).chromosomes["cohort"]
    propose = partial(STAGE.propose, with_cohort(alone))
    for seed in range(6):
        edit = propose(stream(seed))
        assert edit is None or edit.args["genes"] != present
