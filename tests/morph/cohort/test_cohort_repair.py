"""Repair: what is left passes the checks, repairing again changes nothing, nobody is renamed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cohorts import (
    OPTIONS,
    PEER,
    SEED,
    TAPS,
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
from evonas.genome.bilevel import Bilevel
from evonas.genome.cohort import Aggregator, Cohort, Edge, Node, Stage
from evonas.genome.cohort_kinds import Tap
from evonas.genome.members import members
from evonas.genome.schedule import Curve
from evonas.morph.cohort.check import check
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.repair import repaired
from evonas.seeds import Rng, stream


def settled(cohort: Cohort, options: CohortOptions = OPTIONS) -> Cohort:
    """Return the repaired cohort of the seed, which is checked and repaired no further."""
    genome = repaired(with_cohort(cohort), options)
    check(genome, options)
    assert repaired(genome, options) == genome
    found = Cohort.of(genome)
    assert found is not None
    named = {name for name, node in found.nodes.items() if node.kind == "member"}
    assert members(genome).keys() == named
    return found


def names(cohort: Cohort) -> set[str]:
    return {edge.name for edge in cohort.edges}


def plus(cohort: Cohort, *edges: Edge) -> Cohort:
    return replace(cohort, edges=(*cohort.edges, *edges))


@pytest.mark.parametrize("cohort", [kd(), mutual(), taught(), contrastive()])
def test_a_cohort_that_passes_stays_as_it_is(cohort: Cohort) -> None:
    assert settled(cohort) == Cohort.from_json(cohort.to_json())


def test_who_has_no_cohort_learns_from_the_labels() -> None:
    cohort = Cohort.of(repaired(SEED, OPTIONS))
    assert cohort is not None
    assert names(cohort) == {"task to candidate:logits"}


@pytest.mark.parametrize(
    "added",
    [
        edge("kl", "nobody:logits", "candidate:logits"),
        edge("hint", "teacher:s9", "candidate:s1"),
        edge("nonsense", "teacher:s1", "candidate:s1"),
        edge("kl", "candidate:logits", "teacher:logits"),
        edge("hint", "candidate:s1", "candidate:s1"),
        edge("hint", "teacher:s1", "candidate:s1", tag="of no stage"),
        task(),
    ],
)
def test_an_edge_that_fits_nothing_is_dropped(added: Edge) -> None:
    cohort = replace(kd(), stages=(Stage(tags=("",)),))
    assert settled(plus(cohort, added)) == settled(cohort)


def test_whom_no_label_reaches_gets_the_labels() -> None:
    rumours = replace(mutual(), edges=mutual().edges[2:])
    assert names(settled(rumours)) == names(mutual())


def test_labels_that_were_switched_off_come_back() -> None:
    silent = replace(kd(), edges=(replace(task(), weight=Curve(end=0.0)),))
    (only,) = settled(silent).edges
    assert only.weight == Curve(end=1.0)


def test_who_is_of_no_use_goes() -> None:
    lone = replace(mutual(), edges=(task(), task("peer")))
    assert settled(lone).nodes.keys() == {"candidate"}
    unused = {**kd().nodes, "past": Node(kind="snapshot", of="candidate")}
    assert settled(replace(kd(), nodes=unused)) == settled(kd())


def test_an_aggregator_left_with_one_input_is_that_input() -> None:
    cohort = replace(
        taught(), nodes={**taught().nodes, "other": PEER, "lost": Node(kind="teacher")}
    )
    joined = {
        "ensemble": Aggregator(rule={"name": "mean"}, inputs=("teacher:logits", "lost:logits"))
    }
    after = settled(replace(cohort, aggregators=joined))
    assert not after.aggregators
    assert "kl teacher:logits to candidate:logits" in names(after)


def test_queries_go_with_their_inputs() -> None:
    inputs = ("candidate:logits", "lost:logits", "peer:logits")
    queries = ("candidate:gap", "lost:gap", "peer:gap")
    rows = Aggregator(rule={"name": "attention"}, inputs=inputs, queries=queries)
    cohort = plus(mutual(), edge("kl", "rows", "candidate:logits"))
    after = settled(replace(cohort, aggregators={"rows": rows}))
    assert after.aggregators["rows"].queries == ("candidate:gap", "peer:gap")


def test_stages_that_do_nothing_are_left_out_and_the_others_take_their_share() -> None:
    stages = (
        Stage(name="a", share=0.2),
        Stage(name="b", share=0.5, tags=("none",)),
        Stage(name="c", share=0.3, train=("nobody",)),
    )
    (only,) = settled(replace(kd(), stages=stages)).stages
    assert (only.name, only.share) == ("a", 1.0)


def test_what_an_edge_ends_at_is_trained_while_it_is_active() -> None:
    stages = (
        Stage(name="both", share=0.5, train=("candidate", "peer")),
        Stage(name="alone", share=0.5),
    )
    after = settled(replace(mutual(), stages=stages))
    assert [stage.train for stage in after.stages] == [("candidate", "peer")] * 2


def test_a_sampler_without_positives_is_replaced() -> None:
    cohort = replace(contrastive(), stages=(Stage(train=("candidate", "peer")),))
    assert settled(cohort) == settled(contrastive())


def test_a_contrast_that_no_batch_can_hold_is_dropped() -> None:
    after = settled(contrastive(), replace(OPTIONS, batch_size=3))
    assert names(after) == names(mutual())
    shuffled = replace(OPTIONS, samplers=({"name": "shuffled"},))
    assert names(settled(contrastive(), shuffled)) == names(mutual())


def test_teachers_of_other_classes_teach_no_logits() -> None:
    options = with_taps({**TAPS, "logits": Tap("head", (100,))})
    assert names(settled(kd(), options)) == {"task to candidate:logits"}


def test_a_snapshot_is_taken_before_it_is_looked_at() -> None:
    warm, main = taught().stages
    late = replace(taught(), stages=(replace(warm, tags=()), replace(main, snapshots=())))
    assert settled(late).stages[0].snapshots == ("past",)


def test_limits_are_kept() -> None:
    assert len(settled(contrastive(), replace(OPTIONS, max_edges=3)).edges) == 3
    assert settled(mutual(), replace(OPTIONS, max_nodes=0)).nodes.keys() == {"candidate"}


def test_a_candidate_of_two_networks_is_hopeless() -> None:
    graph = SEED.architecture["net"]
    with pytest.raises(EditError, match="given actor, critic"):
        repaired(Genome({"actor": graph, "critic": graph}), OPTIONS)


def without_taps(genome: Genome) -> dict[str, Tap]:
    raise EditError(f"{genome.key} has no taps")


@pytest.mark.parametrize("options", [CohortOptions(), CohortOptions(taps=without_taps)])
def test_a_candidate_that_has_no_logits_is_hopeless(options: CohortOptions) -> None:
    with pytest.raises(EditError, match="candidate"):
        repaired(with_cohort(mutual()), options)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_thrown_together_is_repaired_once(seed: int) -> None:
    settled(thrown(stream(seed)))


def thrown(rng: Rng) -> Cohort:
    """Return nodes, aggregators, edges and stages drawn without any thought."""
    kinds = ("member", "teacher", "snapshot", "view")
    pool = ("candidate", "peer", "teacher", "other", "past", "half", "ghost")

    def of(names: tuple[Any, ...]) -> Any:
        return names[int(rng.integers(len(names)))]

    def end() -> str:
        taps = ("s1", "s2", "last", "gap", "logits", "logits", "odd")
        return of(("mix", "rows", f"{of(pool)}:{of(taps)}", f"{of(pool)}:{of(taps)}"))

    def node(name: str) -> Node:
        kind = "teacher" if name in {"teacher", "other"} else of(kinds)
        return Node(kind=kind, of=of(pool), trunk=of(("", "s1")), width=of((0.0, 1.0, 2.0)))

    def curve() -> Curve:
        return Curve(kind=of(("constant", "linear")), start=of((0.0, 1.0)), end=of((0.0, 1.0, 2.0)))

    def some(least: int, most: int) -> tuple[str, ...]:
        return tuple(end() for _ in range(rng.integers(least, most)))

    losses = (*OPTIONS.losses, "task", "task", "nonsense")
    rules = (*OPTIONS.aggregators, "nonsense")
    return Cohort(
        bilevel=of((None, Bilevel(inner="a", outer="b"), Bilevel(inner="", outer="b", every=0))),
        nodes={
            "candidate": Node(kind="candidate"),
            **{name: node(name) for name in pool[1:-1] if rng.random() < 0.7},
        },
        aggregators={
            name: Aggregator(rule={"name": of(rules)}, inputs=some(0, 4), queries=some(0, 4))
            for name in ("mix", "rows")
        },
        edges=tuple(
            Edge(
                loss={"name": of(losses)},
                to=end(),
                source=of(("", end(), end())),
                weight=curve(),
                both=bool(rng.integers(2)),
                tag=of(("", "a", "b")),
                matched=bool(rng.integers(2)),
            )
            for _ in range(rng.integers(0, 25))
        ),
        stages=tuple(stage(number, of, pool, rng) for number in range(rng.integers(0, 4))),
        readout=of((("candidate",), ("half",), ("candidate", "half", "half"), ())),
    )


def stage(
    number: int, of: Callable[[tuple[Any, ...]], Any], pool: tuple[str, ...], rng: Rng
) -> Stage:
    """Return a stage drawn likewise."""
    return Stage(
        name=str(number),
        share=float(rng.random()),
        train=tuple(of((*pool, "mix")) for _ in range(rng.integers(0, 4))),
        tags=of(((), (), ("a",), ("a", "b"), ("c",))),
        sampler=of((*OPTIONS.samplers, {"name": "odd"})),
        scorer=of(("", *pool)),
        snapshots=of(((), ("past",), ("ghost",))),
    )
