"""Matched edges and the bilevel block: what is refused, and what repair leaves of them."""

from dataclasses import replace
from typing import Any

import pytest
from cohorts import OPTIONS, edge, mutual, with_cohort

from evonas.errors import EditError
from evonas.genome.bilevel import Bilevel
from evonas.genome.cohort import Aggregator, Cohort, Edge, Stage
from evonas.genome.genome import Genome
from evonas.morph.cohort.check import check
from evonas.morph.cohort.matching import partners
from evonas.morph.cohort.repair import repaired

BLOCK = Bilevel(inner="match", outer="labels")
FORTH = replace(edge("distance", "peer:gap", "candidate:gap", tag="match"), matched=True)
ALONE = replace(edge("vcl", "", "candidate:gap", tag="match"), matched=True)


def matched(*more: Edge, block: Bilevel | None = BLOCK, forth: Edge = FORTH) -> Cohort:
    """Return two peers, tagged by what they learn from, and the candidate matched with the peer."""
    cohort = mutual()
    edges = [
        replace(one, tag="labels" if one.loss["name"] == "task" else "") for one in cohort.edges
    ]
    sampler = {"name": "per-class", "count": 2}
    return replace(
        cohort,
        edges=(*edges, forth, *more),
        stages=(replace(cohort.stages[0], sampler=sampler),),
        bilevel=block,
    )


def settled(cohort: Cohort) -> Cohort:
    """Return the cohort that repair makes of one, which a second repair leaves as it is."""
    genome = repaired(with_cohort(cohort), OPTIONS)
    assert repaired(genome, OPTIONS) == genome
    return read(genome)


def read(genome: Genome) -> Cohort:
    found = Cohort.of(genome)
    assert found is not None
    return found


@pytest.mark.parametrize("cohort", [matched(), matched(ALONE)])
def test_a_matched_cohort_passes_and_is_as_repair_would_have_it(cohort: Cohort) -> None:
    check(with_cohort(cohort), OPTIONS)
    assert settled(cohort).to_json() == cohort.to_json()


def test_the_canonical_form_keeps_the_block_and_has_none_where_there_is_none() -> None:
    data = matched(block=replace(BLOCK, every=7)).to_json()
    assert data["bilevel"] == {"inner": "match", "outer": "labels", "every": 7}
    assert Cohort.from_json(data).to_json() == data
    assert "bilevel" not in mutual().to_json()


def test_a_loss_of_one_end_is_matched_with_all_that_its_end_is_matched_with() -> None:
    other = replace(FORTH, source="peer:s1")
    cohort = matched(ALONE, other, replace(FORTH, source="peer:last", matched=False))
    assert partners(cohort, ALONE) == ("peer:gap", "peer:s1")
    assert partners(cohort, FORTH) == ("peer:gap",)


BLOCKS = [
    ({"every": 0}, "`every` is 1 or more, given 0"),
    ({"steps": 0}, "`steps` is from 1 to 4, given 0"),
    ({"steps": 5}, "`steps` is from 1 to 4, given 5"),
    ({"lr": 0.0}, "`lr` is above 0, given 0.0"),
    ({"outer": "match"}, "edges 'match' cannot judge themselves"),
    ({"outer": "judges"}, "no edge has the tag 'judges' (known: , labels, match)"),
    ({"inner": ""}, "no edge has the tag ''"),
]


@pytest.mark.parametrize(("fields", "reason"), BLOCKS)
def test_a_block_that_cannot_work_is_refused_and_repaired_away(
    fields: dict[str, Any], reason: str
) -> None:
    cohort = matched(block=replace(BLOCK, **fields))
    with pytest.raises(EditError) as caught:
        check(with_cohort(cohort), OPTIONS)
    assert f"the bilevel block: {reason}" in str(caught.value)
    assert is_plain(settled(cohort))


def is_plain(cohort: Cohort) -> bool:
    return cohort.bilevel is None and not any(edge.matched for edge in cohort.edges)


FROM_MEAN = replace(FORTH, loss={"name": "mse-logits"}, source="mean", to="candidate:logits")
MEAN = {"mean": Aggregator(rule={"name": "mean"}, inputs=("candidate:logits", "peer:logits"))}


@pytest.mark.parametrize(
    ("cohort", "reason"),
    [
        (matched(block=None), "the cohort has no bilevel block"),
        (matched(replace(ALONE, tag="")), "has the tag '', and matchers learn by 'match'"),
        (
            matched(replace(ALONE, loss={"name": "task"}, to="candidate:logits")),
            "the trainer's loss has no value for every sample",
        ),
        (
            replace(matched(FROM_MEAN), aggregators=MEAN),
            "'mean' is an aggregator; only networks are matched",
        ),
        (
            matched(replace(ALONE, to="peer:gap")),
            "no matched edge with a source ends at 'peer:gap'",
        ),
    ],
)
def test_an_edge_that_cannot_be_matched_is_named_and_repaired(cohort: Cohort, reason: str) -> None:
    cohort = unique(cohort)
    with pytest.raises(EditError) as caught:
        check(with_cohort(cohort), OPTIONS)
    assert reason in str(caught.value)
    after = settled(cohort)
    assert sum(edge.matched for edge in after.edges) == (after.bilevel is not None)


def unique(cohort: Cohort) -> Cohort:
    """Return the cohort with the last of the edges of one name."""
    return replace(cohort, edges=tuple({edge.name: edge for edge in cohort.edges}.values()))


def test_a_block_without_matched_edges_is_refused() -> None:
    cohort = matched(forth=replace(FORTH, matched=False))
    with pytest.raises(EditError, match="no edge is matched; match those with the tag 'match'"):
        check(with_cohort(cohort), OPTIONS)
    assert is_plain(settled(cohort))


def test_a_block_whose_edges_never_meet_is_refused() -> None:
    whole = matched()
    first = replace(whole.stages[0], name="first", share=0.5, tags=("labels",))
    second = Stage(name="second", share=0.5, train=("candidate",), tags=("", "match"))
    kept = tuple(one for one in whole.edges if one.name != "kl candidate:logits to peer:logits")
    cohort = replace(whole, edges=kept, stages=(first, second))
    with pytest.raises(EditError, match="'match' and 'labels' are in no stage together"):
        check(with_cohort(cohort), OPTIONS)
    assert is_plain(settled(cohort))
