"""A cohort, and every edit of one, can be told in a few words."""

from dataclasses import replace

import pytest
from cohort_histories import FROM_MEAN, HINT, HINTED, KD, KL, PEERED, TASK, cohort_history
from histories import seed_genome

from evonas.genome.cohort import COHORT_GENES, Cohort, Stage
from evonas.genome.past_cohort import PastCohort, changes, curve_phrase, summary, told
from evonas.genome.schedule import Curve

GENOMES = [one.birth.genome for one in cohort_history()]


@pytest.mark.parametrize(
    ("number", "brief", "text"),
    [
        (0, "kd, 2 edges", "kd, 2 edges"),
        (1, "kd, 3 edges", "kd, 3 edges; 1 edit"),
        (3, "kd, 7 edges, 1 member", "kd, 7 edges, 1 member; 2 edits"),
    ],
)
def test_a_cohort_is_told_with_how_far_it_came(number: int, brief: str, text: str) -> None:
    past = PastCohort.of(GENOMES[number])
    assert past is not None
    assert (past.brief, past.text) == (brief, text)


def test_a_genome_without_a_cohort_has_none_to_tell() -> None:
    assert PastCohort.of(seed_genome()) is None


def test_a_cohort_of_no_published_method_is_its_own() -> None:
    assert summary(Cohort()) == "own, 0 edges"


@pytest.mark.parametrize(
    ("after", "phrases"),
    [
        (HINTED, ["+ hint from teacher:s1 to candidate:s1"]),
        (replace(KD, edges=(TASK,)), ["- kl from teacher to candidate"]),
        (
            replace(KD, edges=(TASK, HINT)),
            ["kl from teacher to candidate becomes hint from teacher:s1 to candidate:s1"],
        ),
        (
            replace(KD, edges=(TASK, replace(KL, weight=Curve(end=0.5), both=True))),
            ["kl from teacher to candidate: weight 0.9 -> 0.5, both False -> True"],
        ),
        (
            replace(KD, edges=(TASK, replace(KL, loss={"name": "kl", "temperature": 2.5}))),
            ["kl from teacher to candidate: temperature 4 -> 2.5"],
        ),
        (
            replace(KD, stages=(Stage(share=0.5), Stage(name="end", share=0.5))),
            ["+ stage end", "stage all: share 1 -> 0.5"],
        ),
        (
            replace(KD, stages=(Stage(sampler={"name": "pool"}, train=("candidate", "peer")),)),
            ["stage all: train candidate -> candidate + peer, sampler shuffled -> pool"],
        ),
        (KD, []),
    ],
)
def test_what_an_edit_changes_is_told(after: Cohort, phrases: list[str]) -> None:
    assert changes(KD, after) == phrases


def test_another_aggregation_is_told_by_its_rule() -> None:
    mean = replace(PEERED.aggregators["ensemble"], rule={"name": "mean"})
    after = replace(PEERED, aggregators={"ensemble": mean})
    assert changes(PEERED, after) == ["ensemble: rule gate -> mean"]


def test_an_edit_is_told_against_the_one_before_it_on_record() -> None:
    genome = GENOMES[2]
    first, second = genome.edits
    hint = "+ hint from teacher:s1 to candidate:s1"
    assert told(first, genome, GENOMES[0]) == f"cohort-add-edge: {hint}"
    assert hint not in told(second, genome)
    assert told(second, genome).startswith("cohort-clone: + peer; + ensemble; + kl from ")


def test_an_edit_of_many_changes_tells_the_first_and_counts_the_rest() -> None:
    genome = GENOMES[2]
    shown, rest = told(genome.edits[1], genome).split("; ")[:-1], 3
    assert len(shown) + rest == len(changes(HINTED, PEERED))
    assert told(genome.edits[1], genome).endswith(f"; {rest} more")


def test_an_edit_of_one_long_change_tells_it_all() -> None:
    long = replace(HINT, to="candidate:" + "s" * 90)
    after = replace(KD, edges=(*KD.edges, long))
    edit = GENOMES[0].edit("cohort-add-edge", COHORT_GENES, genes=after.to_json())
    assert told(edit, GENOMES[0].with_edit(edit), GENOMES[0]).endswith("s" * 90)


def test_a_first_edit_of_unknown_origin_is_told_by_what_it_led_to() -> None:
    genome = GENOMES[1]
    assert told(genome.edits[0], genome) == "cohort-add-edge: kd, 3 edges"


def test_an_edit_that_leaves_the_genes_is_told_by_its_operator() -> None:
    genome = GENOMES[0].with_edit(GENOMES[0].edit("cohort-grow", COHORT_GENES, genes=KD.to_json()))
    assert told(genome.edits[-1], genome, GENOMES[0]) == "cohort-grow"


def test_the_growth_of_a_member_is_told_by_the_edit_of_its_network() -> None:
    genome = GENOMES[2]
    inner = genome.edit("widen", "net/conv", by=2)
    grown = genome.edit(
        "cohort-grow", COHORT_GENES, genes=PEERED.to_json(), node="peer", edit=inner.to_json()
    )
    assert told(grown, genome.with_edit(grown)) == "cohort-grow: widen net/conv of peer"


def test_a_clone_is_told_with_whom_it_copies() -> None:
    genome = GENOMES[1]
    clone = genome.edit(
        "cohort-clone", COHORT_GENES, genes=PEERED.to_json(), node="peer", of="candidate"
    )
    phrase = "cohort-clone: + peer, a copy of candidate; "
    assert told(clone, genome.with_edit(clone)).startswith(phrase)


def test_the_words_of_a_curve_say_where_it_goes() -> None:
    assert curve_phrase(Curve(end=1.0)) == "1"
    ramp = Curve(kind="linear", start=0.0, end=0.5, until=0.25)
    assert curve_phrase(ramp) == "linear 0 to 0.5 at 0.25"


def test_an_edge_from_an_aggregator_is_told_by_its_bare_name() -> None:
    after = replace(PEERED, edges=tuple(edge for edge in PEERED.edges if edge != FROM_MEAN))
    assert changes(PEERED, after) == ["- kl from ensemble to candidate"]
