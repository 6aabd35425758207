"""What each operator on edges and aggregators changes, what it leaves, and where it has nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from cohorts import OPTIONS, SEED, contrastive, edge, kd, mutual, task, taught, with_cohort

from evonas.cohort_plan import SCAFFOLD
from evonas.errors import EditError
from evonas.genome import Edit, Genome
from evonas.genome.cohort import COHORT_GENES, Aggregator, Cohort, Edge
from evonas.genome.members import members
from evonas.genome.schedule import Curve
from evonas.morph.always import ALWAYS
from evonas.morph.cohort.edit import cohort_edit, remaining, with_cohort as applied
from evonas.morph.cohort.operators import mutations_for
from evonas.morph.cohort.options import CohortOptions
from evonas.morph.cohort.repair import repaired
from evonas.seeds import stream
from evonas.state import State

OPERATORS = mutations_for(OPTIONS)
SEEDS = range(12)


def cohort_of(genome: Genome) -> Cohort:
    cohort = Cohort.of(genome)
    assert cohort is not None
    return cohort


def varied(operator: str, cohort: Cohort, seed: int, options: CohortOptions = OPTIONS) -> Cohort:
    """Return the cohort of the seed after an edit of one operator."""
    mutation = mutations_for(options)[operator]
    genome = with_cohort(cohort)
    edit = mutation.propose(genome, stream(seed))
    assert edit is not None
    assert edit.targets == (COHORT_GENES,)
    return cohort_of(mutation.apply(genome, edit))


def names(cohort: Cohort) -> set[str]:
    return {edge.name for edge in cohort.edges}


def by_name(cohort: Cohort) -> dict[str, Edge]:
    return {edge.name: edge for edge in cohort.edges}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_added_edge_is_weighed_by_its_gradient(seed: int) -> None:
    after = varied("cohort-add-edge", kd(), seed)
    (new,) = [one for one in after.edges if one.name not in names(kd())]
    kind = OPTIONS.losses[new.loss["name"]]
    assert (new.unit, new.weight) == ("gradient", Curve(end=kind.weight))
    assert new.loss.get("temperature", 0.0) == kind.temperature


def test_a_teacher_that_nobody_learns_from_yet_may_join() -> None:
    joined = [varied("cohort-add-edge", kd(), seed).nodes.keys() for seed in range(30)]
    assert any("other" in nodes for nodes in joined)


def test_no_edge_is_added_beyond_the_limit() -> None:
    options = replace(OPTIONS, max_edges=2)
    assert mutations_for(options)["cohort-add-edge"].propose(with_cohort(kd()), stream(0)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_one_edge_is_dropped(seed: int) -> None:
    after = varied("cohort-drop-edge", contrastive(), seed)
    assert len(names(contrastive()) - names(after)) >= 1
    assert names(after) < names(contrastive())


def test_the_only_edge_from_the_labels_is_never_dropped() -> None:
    alone = Cohort(edges=(task(),))
    assert OPERATORS["cohort-drop-edge"].propose(with_cohort(alone), stream(0)) is None


def test_a_member_that_teaches_nobody_any_more_goes_with_its_edge() -> None:
    cohort = replace(mutual(), edges=mutual().edges[:3])
    genome = with_cohort(cohort)
    found = [OPERATORS["cohort-drop-edge"].propose(genome, stream(seed)) for seed in SEEDS]
    children = [OPERATORS["cohort-drop-edge"].apply(genome, edit) for edit in found if edit]
    lone = [child for child in children if not members(child)]
    assert lone
    assert all(cohort_of(child).nodes.keys() == {"candidate"} for child in lone)


def test_an_edge_is_turned_round_or_moves_both_ends() -> None:
    lessons = ("kl peer:logits to candidate:logits", "hint peer:s1 to candidate:s1")
    turns = ("kl candidate:logits to peer:logits", "hint candidate:s1 to peer:s1")
    labels = {"task to candidate:logits", "task to peer:logits"}
    both = edge("hint", "peer:s1", "candidate:s1")
    cohort = replace(mutual(), edges=(*mutual().edges[:3], both))
    found = [varied("cohort-flip-edge", cohort, seed) for seed in range(30)]
    assert {frozenset(names(one) - labels) for one in found} == {
        frozenset(lessons),
        frozenset({lessons[0], turns[1]}),
        frozenset({turns[0], lessons[1]}),
    }
    kept = [one for one in found if names(one) == names(cohort)]
    assert all(sum(edge.both for edge in one.edges) == 1 for one in kept)


def test_a_peer_that_only_learns_is_of_no_use() -> None:
    cohort = replace(mutual(), edges=mutual().edges[:3])
    turned = replace(cohort, edges=(*cohort.edges[:2], mutual().edges[3]))
    genome = repaired(with_cohort(turned), OPTIONS)
    assert cohort_of(genome).nodes.keys() == {"candidate"}


def test_nobody_teaches_a_teacher() -> None:
    assert OPERATORS["cohort-flip-edge"].propose(with_cohort(kd()), stream(0)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_an_end_moves_to_the_next_tap_of_its_kind(seed: int) -> None:
    cohort = replace(kd(), edges=(task(), edge("hint", "teacher:s1", "candidate:s1")))
    after = varied("cohort-retap", cohort, seed)
    (new,) = names(after) - names(cohort)
    ends = {f"hint teacher:{tap} to candidate:s1" for tap in ("s2", "last")}
    assert new in ends | {f"hint teacher:s1 to candidate:{tap}" for tap in ("s2", "last")}


@pytest.mark.parametrize("seed", SEEDS)
def test_another_loss_starts_with_its_own_weight(seed: int) -> None:
    after = varied("cohort-loss", kd(), seed)
    (new,) = [one for one in after.edges if one.name not in names(kd())]
    assert (new.loss, new.weight, new.unit) == (
        {"name": "mse-logits"},
        Curve(end=0.5),
        "gradient",
    )


def test_weights_and_temperatures_stay_within_bounds_and_can_be_switched_off() -> None:
    hot = Edge(
        loss={"name": "kl", "temperature": 4.0}, source="teacher:logits", to="candidate:logits"
    )
    genome = with_cohort(replace(kd(), edges=(task(), hot)))
    weights: list[float] = []
    temperatures: list[float] = []
    for seed in range(300):
        edit = OPERATORS["cohort-jitter"].propose(genome, stream(seed))
        assert edit is not None
        genome = OPERATORS["cohort-jitter"].apply(genome, edit)
        for one in cohort_of(genome).edges:
            weights.append(one.weight.end)
            temperatures.append(one.loss.get("temperature", 1.0))
    live = [weight for weight in weights if weight]
    assert 0.0 in weights
    assert 1e-3 <= min(live) < max(live) <= 1e3
    assert 1.0 <= min(temperatures) < max(temperatures) <= 20.0


def test_a_curve_changes_and_its_largest_value_stays() -> None:
    genome = with_cohort(kd())
    kinds: set[str] = set()
    for seed in range(60):
        edit = OPERATORS["cohort-schedule"].propose(genome, stream(seed))
        assert edit is not None
        genome = OPERATORS["cohort-schedule"].apply(genome, edit)
        for one in cohort_of(genome).edges:
            kinds.add(one.weight.kind)
            constant = one.weight.kind == "constant"
            assert one.weight.end == 1 if constant else max(one.weight.start, one.weight.end) == 1
            assert 0.05 <= one.weight.until <= 1
    assert len(kinds) == 5


def test_a_mean_is_put_between_teachers_of_one_end() -> None:
    two = replace(
        taught(),
        aggregators={},
        edges=(
            task(),
            edge("kl", "teacher:logits", "candidate:logits"),
            edge("kl", "other:logits", "candidate:logits"),
        ),
        stages=kd().stages,
    )
    for seed in SEEDS:
        after = varied("cohort-aggregator", two, seed)
        ((name, one),) = after.aggregators.items()
        assert set(one.inputs) == {"teacher:logits", "other:logits"}
        assert names(after) == {"task to candidate:logits", f"kl {name} to candidate:logits"}


def test_a_rule_with_parameters_is_trained_and_learns_from_the_labels() -> None:
    joined = {
        "ensemble": Aggregator(rule={"name": "mean"}, inputs=("candidate:logits", "peer:logits"))
    }
    cohort = replace(
        mutual(),
        aggregators=joined,
        edges=(task(), task("peer"), edge("kl", "ensemble", "candidate:logits")),
    )
    found = [varied("cohort-aggregator", cohort, seed) for seed in SEEDS]
    rules = {one.aggregators["ensemble"].rule["name"]: one for one in found}
    assert rules.keys() == {"latent", "attention"}
    for one in rules.values():
        assert one.aggregators["ensemble"].learns == "labels"
        assert "ensemble" in one.stages[0].train
    back = varied("cohort-aggregator", rules["latent"], 0)
    assert back.aggregators["ensemble"].rule["name"] != "latent"


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_a_candidate_of_two_networks_has_no_edits(operator: str) -> None:
    graph = SEED.architecture["net"]
    two = Genome({"actor": graph, "critic": graph})
    assert OPERATORS[operator].propose(two, stream(0)) is None


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_an_edit_is_replayed_without_any_options(operator: str) -> None:
    genome = with_cohort(taught() if operator == "cohort-aggregator" else contrastive())
    edit = OPERATORS[operator].propose(genome, stream(1))
    if edit is not None:
        assert ALWAYS[operator].apply(genome, edit) == OPERATORS[operator].apply(genome, edit)


@pytest.mark.parametrize(
    "genes",
    [
        3,
        {},
        {"nodes": {}},
        {**kd().to_json(), "nodes": {}},
        {**kd().to_json(), "edges": [{"to": "candidate:logits"}]},
        {**kd().to_json(), "edges": [{"loss": {}, "to": "candidate:logits"}]},
        {**kd().to_json(), "nodes": {**kd().to_json()["nodes"], "scaffold": {"kind": "teacher"}}},
        {**kd().to_json(), "more": 1},
    ],
)
def test_an_edit_that_holds_no_cohort_is_refused(genes: Any) -> None:
    with pytest.raises(EditError):
        applied(SEED, Edit("cohort-loss", (COHORT_GENES,), {"genes": genes}))


def test_an_edit_whose_member_is_not_there_is_refused() -> None:
    edit = cohort_edit(SEED, "cohort-loss", mutual())
    with pytest.raises(EditError, match="the member 'peer' has no network"):
        applied(SEED, edit)
    after = applied(SEED, edit, {"peer": SEED.architecture["net"]})
    assert members(after).keys() == {"peer"}


def test_who_goes_takes_the_weights_along(tensors: Callable[[str], State]) -> None:
    state = tensors("own").joined({name: tensors(name) for name in ("peer", "gone", SCAFFOLD)})
    kept = remaining(with_cohort(mutual()), state)
    assert kept.own == tensors("own")
    assert kept.part("peer").tensors == tensors("peer").tensors
    assert not kept.part("gone").tensors
    assert kept.part(SCAFFOLD).tensors


@pytest.fixture
def tensors() -> Callable[[str], State]:
    """A function that makes the state of one scalar with a momentum."""
    made: dict[str, State] = {}

    def make(name: str) -> State:
        if name not in made:
            one = torch.tensor(float(len(name)))
            made[name] = State({"weight": one}, {"momentum_buffer": {"weight": one}})
        return made[name]

    return make
