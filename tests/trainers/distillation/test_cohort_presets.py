"""Presets say what the papers say, edge by edge."""

from collections.abc import Mapping

import pytest

from evonas.cohort_preset import Available, CohortPreset
from evonas.errors import ConfigError
from evonas.genome.cohort import Cohort, Edge
from evonas.genome.cohort_kinds import Tap
from evonas_trainers.distillation.amtml import Amtml
from evonas_trainers.distillation.curriculum import Curriculum
from evonas_trainers.distillation.ddnn import Ddnn
from evonas_trainers.distillation.kd import At, FitNet, Kd, Takd
from evonas_trainers.distillation.layer_mcl import Lmcl
from evonas_trainers.distillation.mcl import Mcl
from evonas_trainers.distillation.mutual import Dml, Kdcl, OkdDip, One

MAPS = {"s1": (4, 8, 8), "s2": (8, 4, 4), "s3": (16, 2, 2), "last": (16, 2, 2)}
VECTORS = {"gap": (16,), "logits": (10,)}
TAPS = {name: Tap(name, shape) for name, shape in {**MAPS, **VECTORS}.items()}
FLAT = {name: Tap(name, shape) for name, shape in {"s1": (16,), **VECTORS}.items()}
LOGITS = {"logits": TAPS["logits"]}


def available(
    teachers: int = 0, taps: Mapping[str, Tap] = TAPS, theirs: Mapping[str, Tap] = TAPS
) -> Available:
    names = [f"t{number}" for number in range(1, teachers + 1)]
    return Available(taps=taps, depths=(3, 2, 1), teachers=dict.fromkeys(names, theirs))


def made(preset: CohortPreset, teachers: int | None = None) -> Cohort:
    return preset.cohort(available(preset.teachers if teachers is None else teachers))


def weights(cohort: Cohort) -> dict[str, float]:
    return {edge.name: round(edge.weight.end, 6) for edge in cohort.edges}


def of(cohort: Cohort, loss: str) -> list[Edge]:
    return [edge for edge in cohort.edges if edge.loss["name"] == loss]


def test_kd_weighs_labels_and_teacher_to_one() -> None:
    assert weights(made(Kd())) == {
        "task to candidate:logits": 0.1,
        "kl t1:logits to candidate:logits": 0.9,
    }


def test_fitnet_learns_the_middle_map_before_the_probabilities() -> None:
    cohort = made(FitNet())
    hint, distil = cohort.stages
    assert [edge.name for edge in of(cohort, "hint")] == ["hint t1:s2 to candidate:s2"]
    assert {edge.tag for edge in of(cohort, "hint")} == set(hint.tags)
    assert {edge.tag for edge in (*of(cohort, "kl"), *of(cohort, "task"))} == set(distil.tags)
    assert (hint.share + distil.share, distil.restart) == (1, True)


def test_attention_is_transferred_between_all_maps_of_a_size() -> None:
    theirs = {name: Tap(name, (32, *MAPS[name][1:])) for name in ("s2", "s3")} | LOGITS
    renamed = {"s1": theirs["s2"], "s2": theirs["s3"], **LOGITS}
    cohort = At().cohort(available(1, theirs=renamed))
    assert {(edge.to, edge.source) for edge in of(cohort, "attention")} == {
        ("candidate:s2", "t1:s1"),
        ("candidate:s3", "t1:s2"),
    }


def test_the_assistant_learns_first_and_is_frozen_then() -> None:
    first, second = made(Takd()).stages
    assert (first.train, second.train) == (("assistant",), ("candidate",))
    assert weights(made(Takd()))["kl assistant:logits to candidate:logits"] == 0.9


@pytest.mark.parametrize("members", [1, 2, 3])
def test_mutual_learning_averages_over_the_others(members: int) -> None:
    cohort = made(Dml(members=members))
    total = members + 1
    assert len(of(cohort, "kl")) == total * members
    assert {edge.weight.end for edge in of(cohort, "kl")} == {1 / members}
    assert len(of(cohort, "task")) == total
    assert not any(edge.both for edge in cohort.edges)


def test_the_branches_share_all_stages_but_the_last() -> None:
    cohort = made(One(branches=2))
    assert {node.trunk for name, node in cohort.nodes.items() if name != "candidate"} == {"s2"}
    assert cohort.aggregators["ensemble"].queries == ("candidate:s2",)
    assert "task to ensemble" in weights(cohort)
    assert "ensemble" in cohort.stages[0].train


def test_every_network_of_a_collaboration_sees_the_batch_differently() -> None:
    views = [node.own_view for node in made(Kdcl(members=2)).nodes.values()]
    assert views == [False, True, True]


def test_peers_learn_by_attention_and_the_leader_from_their_mean() -> None:
    cohort = made(OkdDip(members=2))
    sources = {edge.to: edge.source for edge in of(cohort, "kl")}
    assert sources == {
        "candidate:logits": "mean",
        "peer1:logits": "attention",
        "peer2:logits": "attention",
    }
    assert all(edge.both for edge in of(cohort, "kl"))
    assert cohort.aggregators["attention"].inputs == ("peer1:logits", "peer2:logits")
    assert cohort.aggregators["attention"].queries == ("peer1:gap", "peer2:gap")


def test_mutual_contrast_has_four_terms_and_the_mean_of_logits() -> None:
    cohort = made(Mcl())
    counts = {name: len(of(cohort, name)) for name in ("vcl", "icl", "soft-vcl", "soft-icl", "kl")}
    assert set(counts.values()) == {2}
    found = {(e.loss["name"], e.weight.end, e.both) for e in cohort.edges if e.loss["name"] != "kl"}
    assert found == {
        ("task", 1.0, False),
        ("vcl", 0.1, False),
        ("icl", 0.1, True),
        ("soft-vcl", 1.0, False),
        ("soft-icl", 1.0, True),
    }
    assert cohort.stages[0].sampler == {"name": "per-class", "count": 2}


def test_without_its_terms_mutual_contrast_is_its_control() -> None:
    cohort = made(Mcl(vcl=0, icl=0, soft_vcl=0, soft_icl=0, logits=0))
    assert {edge.loss["name"] for edge in cohort.edges} == {"task"}
    assert not cohort.aggregators
    assert cohort.stages == made(Mcl()).stages


def test_the_gate_learns_from_labels_and_is_frozen_in_the_end() -> None:
    cohort = made(Amtml(), 3)
    warm, main = cohort.stages
    assert cohort.aggregators["gate"].learns == "labels"
    assert (warm.train, main.train) == (("candidate", "gate"), ("candidate",))
    assert weights(cohort)["kl gate to candidate:logits"] == 0.7
    assert [edge.both for edge in of(cohort, "kl")] == [False]


def test_the_published_gate_learns_through_the_divergence() -> None:
    cohort = made(Amtml(gate="edges"))
    assert cohort.aggregators["gate"].learns == "edges"
    assert [edge.both for edge in of(cohort, "kl")] == [True]


def test_every_teacher_gives_a_hint_to_a_group_of_its_own() -> None:
    found = {(edge.source, edge.to) for edge in of(made(Amtml(), 3), "hint")}
    assert found == {(f"t{number}:s{number}", f"candidate:s{number}") for number in (1, 2, 3)}


def test_without_hints_teachers_need_no_maps() -> None:
    assert not of(Amtml(hint=0).cohort(available(2, theirs=LOGITS)), "hint")


def test_the_pool_grows_to_all_samples() -> None:
    first, *rounds = made(Curriculum(rounds=4, order="hard")).stages
    assert first.sampler == {"name": "shuffled"}
    assert [stage.sampler["share"] for stage in rounds] == [0.25, 0.5, 0.75, 1.0]
    assert {stage.sampler["order"] for stage in rounds} == {"hard"}
    assert {(stage.scorer, stage.snapshots) for stage in rounds} == {("snapshot", ("snapshot",))}
    assert sum(stage.share for stage in (first, *rounds)) == pytest.approx(1)


def test_every_depth_below_the_full_one_is_handed_over() -> None:
    cohort = made(Ddnn())
    assert cohort.readout == ("candidate", "depth2", "depth1")
    assert cohort.nodes["depth1"].depths == (1, 1, 1)
    assert cohort.nodes["depth2"].depths == (2, 2, 1)


def test_only_the_last_maps_of_sub_networks_are_compared() -> None:
    found = {(edge.to, edge.source, edge.weight.end) for edge in of(made(Ddnn()), "z-attention")}
    assert found == {
        ("depth1:s3", "candidate:s3", 0.02),
        ("depth2:s3", "candidate:s3", 0.02),
    }


@pytest.mark.parametrize("preset", [FitNet(), At(), One(), Amtml(), Ddnn()])
def test_a_network_without_maps_is_refused(preset: CohortPreset) -> None:
    with pytest.raises(ConfigError, match="end in a map"):
        preset.cohort(available(preset.teachers, taps=FLAT))


@pytest.mark.parametrize("preset", [FitNet(), At(), Amtml()])
def test_a_teacher_without_maps_is_refused_by_name(preset: CohortPreset) -> None:
    with pytest.raises(ConfigError, match="the teacher 't1' has 0"):
        preset.cohort(available(preset.teachers, theirs=LOGITS))


def test_maps_of_no_common_size_are_refused() -> None:
    theirs = {"s1": Tap("s1", (4, 7, 7)), **LOGITS}
    with pytest.raises(ConfigError, match="is as large"):
        At().cohort(available(1, theirs=theirs))


@pytest.mark.parametrize("preset", [Kd(), FitNet(), At(), Takd(), Curriculum(), Amtml()])
def test_too_few_teachers_are_refused(preset: CohortPreset) -> None:
    with pytest.raises(ConfigError, match="teacher"):
        made(preset, preset.teachers - 1)


def test_the_first_teacher_is_taken_of_several() -> None:
    assert "t2" not in made(Kd(), 2).nodes


@pytest.mark.parametrize("preset", [Dml(members=0), Kdcl(members=0), OkdDip(members=1)])
def test_a_cohort_without_others_is_refused(preset: CohortPreset) -> None:
    with pytest.raises(ConfigError, match="members is"):
        made(preset)


def test_a_network_without_blocks_to_leave_out_is_refused() -> None:
    flat = Available(taps=TAPS, depths=(1, 1), teachers={})
    with pytest.raises(ConfigError, match="space of stages of blocks"):
        Ddnn().cohort(flat)


def test_all_exits_of_different_networks_are_matched() -> None:
    cohort = made(Lmcl())
    counts = {name: len(of(cohort, name)) for name in ("vcl", "icl", "soft-vcl", "soft-icl")}
    assert counts == {"vcl": 6, "icl": 18, "soft-vcl": 18, "soft-icl": 18}
    assert {edge.tag for edge in cohort.edges if edge.matched} == {"match"}
    assert sum(edge.matched for edge in cohort.edges) == sum(counts.values())
    assert {edge.to: edge.tag for edge in of(cohort, "task")} == {
        **dict.fromkeys((f"{name}:logits" for name in cohort.nodes), "labels"),
        "candidate_gate": "gate",
        "peer1_gate": "gate",
    }
    assert {(edge.source, edge.to) for edge in of(cohort, "kl")} == {
        (gate, end)
        for gate in ("candidate_gate", "peer1_gate")
        for end in ("candidate:logits", "peer1:logits")
    }


def test_a_term_of_two_exits_weighs_twice_its_share_and_a_contrast_six_times() -> None:
    found = {(edge.loss["name"], round(edge.weight.end, 6)) for edge in made(Lmcl()).edges}
    assert found == {
        ("task", 1.0),
        ("kl", 1.0),
        ("vcl", 0.6),
        ("icl", 0.2),
        ("soft-vcl", 2.0),
        ("soft-icl", 2.0),
    }


def test_an_exit_has_the_rest_of_the_backbone_for_itself() -> None:
    nodes = made(Lmcl()).nodes
    views = {name: (node.of, node.trunk) for name, node in nodes.items() if node.kind == "view"}
    assert views == {
        "exit_s1": ("candidate", "s1"),
        "exit_s2": ("candidate", "s2"),
        "peer1_exit_s1": ("peer1", "s1"),
        "peer1_exit_s2": ("peer1", "s2"),
    }
    assert [name for name in made(Lmcl(exits=2)).nodes if "exit" in name] == [
        "exit_s2",
        "peer1_exit_s2",
    ]


@pytest.mark.parametrize(
    "preset", [Lmcl(is_matched=False), Lmcl(vcl=0, icl=0, soft_vcl=0, soft_icl=0)]
)
def test_without_matching_no_matcher_learns(preset: Lmcl) -> None:
    cohort = made(preset)
    assert cohort.bilevel is None
    assert not any(edge.matched for edge in cohort.edges)


def test_one_exit_is_not_matched_with_anything() -> None:
    with pytest.raises(ConfigError, match="exits is 1; matching layers needs 2 or more"):
        made(Lmcl(exits=1))
