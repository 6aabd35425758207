"""Policies learn from steps of their own, and from what the others make of these."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from policy_cohorts import ACTIONS, OPTIONS, genome, lent, nothing, observations, started
from torch import Tensor
from torch.nn import functional as F

from evonas import seeds
from evonas.cohort_preset import CohortPreset
from evonas.errors import ConfigError, EditError
from evonas.genome.cohort import CANDIDATE, Cohort, Edge
from evonas.genome.schedule import Curve
from evonas.morph.cohort.check import check
from evonas.morph.cohort.nodes import CohortClone, CohortDrop
from evonas.state import State
from evonas_trainers.distillation.mutual import Dml, Kdcl, OkdDip
from evonas_trainers.distillation.policies import OpdDa as Preset
from evonas_trainers.reinforcement.policy_cohort import PolicyCohort

MEAN = Preset(aggregation="mean")


def moved(policies: PolicyCohort, policy: str) -> bool:
    """Return whether a policy has got a gradient that is not zero."""
    grads = [one.grad for one in policies.network(policy).parameters()]
    return any(one is not None and bool(one.count_nonzero()) for one in grads)


def attention(policies: PolicyCohort) -> list[Tensor]:
    """Return the gradients of all that weighs."""
    networks = [policies.network(policy) for policy in policies.policies]
    own = {one for network in networks for one in network.parameters()}
    return [one.grad for one in policies.parameters if one not in own and one.grad is not None]


@pytest.mark.parametrize("aggregation", ["attention", "others", "mean"])
@pytest.mark.parametrize("learner", ["candidate", "peer1"])
def test_a_policy_learns_on_its_own_steps_and_moves_no_teacher(
    learner: str, aggregation: Literal["attention", "others", "mean"]
) -> None:
    preset = Preset(policies=3, aggregation=aggregation)
    policies = started(genome(preset))
    policies.loss(learner, observations(), nothing, 0.0).backward()
    assert moved(policies, learner)
    assert not any(moved(policies, one) for one in policies.policies if one != learner)


def test_attention_learns_from_what_it_makes_of_the_others() -> None:
    policies = started(genome(Preset(policies=3)))
    policies.loss(CANDIDATE, observations(), nothing, 0.0).backward()
    assert any(bool(one.count_nonzero()) for one in attention(policies))


def test_the_plain_mean_has_nothing_to_learn() -> None:
    assert not attention(started(genome(MEAN)))


def test_a_value_is_no_decision_and_is_given_to_nobody() -> None:
    policies = started(genome(Preset(feature_weight=0.0)))
    policies.loss(CANDIDATE, observations(), nothing, 0.0).backward()
    head = policies.network(CANDIDATE).get_parameter("head.weight").grad
    assert head is not None
    assert head[:ACTIONS].count_nonzero()
    assert not head[ACTIONS:].count_nonzero()


def test_the_loss_is_the_task_the_divergence_and_the_distance_of_features() -> None:
    preset = replace(MEAN, decision_weight=0.5, feature_weight=0.3, temperature=2.0)
    policies = started(genome(preset))
    seen = observations()
    found = policies.loss("peer1", seen, lambda decisions, _: decisions.sum(), 0.0)
    with torch.no_grad():
        outputs = [policies.network(one)(seen)[:, :ACTIONS] for one in ("candidate", "peer1")]
        hidden = [
            policies.network(one).get_submodule("hidden1.linear")(seen).tanh()
            for one in ("candidate", "peer1")
        ]
    target = ((outputs[0] + outputs[1]) / 4).softmax(1)
    divergence = F.kl_div((outputs[1] / 2).log_softmax(1), target, reduction="batchmean")
    distance = (hidden[1] - (hidden[0] + hidden[1]) / 2).square().mean()
    expected = outputs[1].sum() + 0.5 * 4 * divergence + 0.3 * distance
    torch.testing.assert_close(found.detach(), expected)


def test_policies_of_unlike_width_learn_from_each_other() -> None:
    of = genome(Preset(policies=3), width=2.0)
    check(of, OPTIONS)
    policies = started(of)
    for policy in policies.policies:
        loss = policies.loss(policy, observations(), nothing, 0.0)
        loss.backward()
        assert loss.isfinite()
        assert moved(policies, policy)


def test_an_edge_both_ways_draws_each_policy_on_its_own_steps() -> None:
    of = genome(Preset())
    cohort = Cohort.of(of)
    assert cohort is not None
    edge = Edge(loss={"name": "kl"}, to="candidate:logits", source="peer1:logits", both=True)
    tasks = tuple(one for one in cohort.edges if one.loss["name"] == "task")
    policies = started(replace(cohort, aggregators={}, edges=(*tasks, edge)).put_into(of))
    policies.loss("peer1", observations(), nothing, 0.0).backward()
    assert moved(policies, "peer1")
    assert not moved(policies, CANDIDATE)


def test_policies_that_are_copies_do_not_disagree() -> None:
    policies = started(genome())
    assert policies.disagreement(observations()) > 1e-4
    policies.network("peer1").load_state_dict(policies.network(CANDIDATE).state_dict())
    assert policies.disagreement(observations()) == pytest.approx(0.0, abs=1e-6)


def test_what_the_others_compute_is_charged() -> None:
    policies = started(genome())
    policies.outputs(CANDIDATE, observations())
    assert policies.passes == 8
    policies.loss(CANDIDATE, observations(), nothing, 0.0)
    assert policies.passes == 8 + 3 * 8 + 8


def test_a_child_with_one_more_policy_inherits_all_others() -> None:
    parent = genome(Preset(policies=2))
    policies = started(parent)
    state = policies.state(torch.optim.Adam(policies.parameters))
    clone = CohortClone(options=OPTIONS)
    edit = clone.propose(parent, seeds.stream(0, "clone"))
    assert edit is not None
    child = clone.apply(parent, edit)
    born = clone.inherit(parent, child, edit, state, seeds.stream(0, "inherit"))
    check(child, OPTIONS)
    larger = started(child, born)
    assert larger.policies == ["candidate", "peer1", "peer2"]
    for policy in ("candidate", "peer1"):
        own, inherited = (one.network(policy).state_dict() for one in (policies, larger))
        assert all(torch.equal(own[name], inherited[name]) for name in own)
    assert "cohort/decisions/entropy" in larger.diagnosis()
    larger.loss("peer2", observations(), nothing, 0.0).backward()
    assert moved(larger, "peer2"), "the third attends to the others"


@pytest.mark.parametrize("aggregation", ["attention", "others", "mean"])
def test_the_last_policy_left_learns_alone(
    aggregation: Literal["attention", "others", "mean"],
) -> None:
    parent = genome(Preset(aggregation=aggregation))
    drop = CohortDrop(options=OPTIONS)
    edit = drop.propose(parent, seeds.stream(0, "drop"))
    assert edit is not None
    child = drop.apply(parent, edit)
    check(child, OPTIONS)
    policies = started(child)
    assert policies.learners == [CANDIDATE]
    loss = policies.loss(CANDIDATE, observations(), lambda decisions, _: decisions.sum(), 0.0)
    own, _ = policies.outputs(CANDIDATE, observations())
    torch.testing.assert_close(loss.detach(), own.sum())


@pytest.mark.parametrize(
    "preset", [Dml(), OkdDip(), Kdcl(rule="mean")], ids=["dml", "okddip", "kdcl"]
)
def test_presets_that_need_no_labels_are_for_policies_too(preset: CohortPreset) -> None:
    of = genome(preset)
    check(of, OPTIONS)
    policies = started(of)
    assert len(policies.learners) > 1
    for policy in policies.learners:
        policies.loss(policy, observations(), nothing, 0.9).backward()
        assert moved(policies, policy)


def test_virtual_teachers_that_look_at_labels_are_not_for_policies() -> None:
    with pytest.raises(EditError, match="min-logit"):
        check(genome(Kdcl()), OPTIONS)


def test_a_child_goes_on_with_the_attention_and_the_momentum_of_its_parent() -> None:
    of = genome(Preset(policies=3))
    policies = started(of)
    optimizer = torch.optim.Adam(policies.parameters)
    policies.loss(CANDIDATE, observations(), nothing, 0.0).backward()
    optimizer.step()
    state = policies.state(optimizer)
    child = started(of, state)
    again = torch.optim.Adam(child.parameters)
    child.start_slots(again, state)
    after: State = child.state(again)
    assert after.tensors.keys() == state.tensors.keys()
    assert all(torch.equal(after.tensors[name], one) for name, one in state.tensors.items())
    assert state.slots["exp_avg"].keys() == after.slots["exp_avg"].keys()


def test_matched_samples_are_refused() -> None:
    plan, model = lent(genome())
    edges = tuple(replace(one, matched=True) for one in plan.cohort.edges)
    plan = replace(plan, cohort=replace(plan.cohort, edges=edges))
    with pytest.raises(ConfigError, match="samples of policies are not matched"):
        PolicyCohort(plan, model, ACTIONS, 0, torch.device("cpu"))


def test_an_edge_without_weight_changes_nothing() -> None:
    of = genome(MEAN)
    cohort = Cohort.of(of)
    assert cohort is not None
    idle = tuple(
        one if one.loss["name"] == "task" else replace(one, weight=Curve(end=0.0))
        for one in cohort.edges
    )
    policies = started(replace(cohort, edges=idle).put_into(of))
    assert policies.loss(CANDIDATE, observations(), nothing, 0.0).item() == 0.0


@pytest.mark.parametrize("loss", ["soft-icl", "soft-vcl", "distance", "mse-logits"])
def test_what_is_made_for_each_policy_may_be_learned_by_any_loss_that_fits(loss: str) -> None:
    of = genome(Preset(policies=3))
    cohort = Cohort.of(of)
    assert cohort is not None
    ends = OPTIONS.losses[loss].ends
    source = "decisions" if ends == "logits" else "features"
    tap = "logits" if ends == "logits" else "gap"
    edge = Edge(loss={"name": loss}, to=f"peer1:{tap}", source=source, unit="gradient")
    of = replace(cohort, edges=(*cohort.edges, edge)).put_into(of)
    check(of, OPTIONS)
    policies = started(of)
    policies.loss("peer1", observations(), nothing, 0.0).backward()
    assert moved(policies, "peer1")
