"""The preset of policies says who learns what from whom."""

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from evonas.cohort_preset import Available
from evonas.errors import ConfigError
from evonas.genome.cohort import Cohort
from evonas.genome.cohort_kinds import Tap
from evonas_trainers.distillation.policies import OpdDa

TAPS = {"gap": Tap("hidden", (8,)), "logits": Tap("head", (3,))}


def made(preset: OpdDa) -> Cohort:
    return preset.cohort(Available(taps=TAPS, depths=(), teachers={}))


def test_every_policy_has_its_task_a_target_of_decisions_and_one_of_features() -> None:
    cohort = made(OpdDa(policies=3))
    assert set(cohort.nodes) == {"candidate", "peer1", "peer2"}
    for policy in cohort.nodes:
        assert {edge.name for edge in cohort.edges if policy in edge.to} == {
            f"task to {policy}:logits",
            f"kl decisions to {policy}:logits",
            f"features features to {policy}:gap",
        }
    assert set(cohort.stages[0].train) == {*cohort.nodes, "decisions", "features"}


@pytest.mark.parametrize(
    ("aggregation", "decisions", "features"),
    [
        ("attention", {"name": "decision-attention"}, {"name": "feature-attention"}),
        (
            "others",
            {"name": "decision-attention", "mask_self": True},
            {"name": "feature-attention", "mask_self": True},
        ),
        ("mean", {"name": "mean"}, {"name": "feature-attention", "is_even": True}),
    ],
)
def test_targets_are_weighed_as_asked(
    aggregation: Literal["attention", "others", "mean"],
    decisions: Mapping[str, Any],
    features: Mapping[str, Any],
) -> None:
    cohort = made(OpdDa(aggregation=aggregation))
    assert cohort.aggregators["decisions"].rule == decisions
    assert cohort.aggregators["features"].rule == features


def test_policies_attend_to_the_others_unless_asked_otherwise() -> None:
    assert made(OpdDa()) == made(OpdDa(aggregation="others"))
    assert made(OpdDa()) != made(OpdDa(aggregation="attention"))


def test_a_term_without_weight_leaves_nothing_behind() -> None:
    cohort = made(OpdDa(feature_weight=0.0))
    assert set(cohort.aggregators) == {"decisions"}
    assert not [edge for edge in cohort.edges if edge.loss["name"] == "features"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies": 1}, "one alone learns without"),
        ({"decision_weight": -1.0}, "weights are 0 or more"),
        ({"temperature": 0.0}, "needs a number above 0"),
        ({"aggregation": "median"}, "'others', 'attention' or 'mean'"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OpdDa(**changes)
