"""Cohorts in the supervised loop: what is handed over, kept, charged, reported and refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.cohort_training import (
    IN_TURN,
    KL,
    PLUGINS,
    SAMPLES,
    TASK,
    context,
    graph,
    network,
    plan,
)
from torch import fx, nn

from evonas.cohort_plan import SCAFFOLD, CohortPlan
from evonas.errors import ConfigError
from evonas.genome.cohort import Aggregator, Cohort, Edge, Node, Stage
from evonas.genome.schedule import Schedule
from evonas.morph.build import build_graph
from evonas.pruning_plan import PlannedGroup, PruningPlan
from evonas.state import State
from evonas.trainer import Trained
from evonas_trainers.curriculum.easy_to_hard import EasyToHard
from evonas_trainers.optimizer import OptimizerSettings
from evonas_trainers.supervised import Supervised

OWN = Edge(loss=TASK, to="candidate:logits")
TRAINER = Supervised(data="made", epochs=3, batch_size=8)


def with_peer(**changes: object) -> Cohort:
    """Return a cohort of two that meet in heads, in an aggregator and in their outputs."""
    alike = {"name": f"{PLUGINS}:Alike"}
    ends = ("candidate:logits", "peer:logits")
    cohort = Cohort(
        nodes={"candidate": Node(kind="candidate"), "peer": Node(kind="member")},
        aggregators={"mean": Aggregator(rule={"name": f"{PLUGINS}:Mean"}, inputs=ends)},
        edges=(
            OWN,
            Edge(loss=TASK, to="peer:logits"),
            Edge(loss=alike, to="candidate:gap", source="peer:gap", both=True),
            Edge(loss=KL, to="peer:logits", source="mean", both=True),
        ),
        stages=(Stage(train=("candidate", "peer", "mean"), sampler=IN_TURN),),
    )
    return replace(cohort, **changes)


def peer_plan(peer: nn.Module) -> CohortPlan:
    assert isinstance(peer, fx.GraphModule)
    return plan(with_peer(), {"peer": peer})


def state(trained: Trained) -> State:
    assert trained.state is not None
    return trained.state


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_the_student_is_a_plain_network_and_the_rest_is_kept_by_node(name: str) -> None:
    settings = OptimizerSettings(name=name, lr=0.01)  # pyright: ignore[reportArgumentType]
    trainer = replace(TRAINER, optimizer=settings)
    model, peer = network(1), network(2)
    found = state(trainer.train(model, context(peer_plan(peer))))
    network(0).load_state_dict(dict(found.own.tensors), strict=True)
    network(0).load_state_dict(dict(found.part("peer").tensors), strict=True)
    assert any(name.startswith("head/") for name in found.part(SCAFFOLD).tensors)
    slot = "momentum_buffer" if name == "sgd" else "exp_avg"
    assert found.part("peer").slots[slot].keys() == dict(peer.named_parameters()).keys()


def test_two_trainings_in_a_row_equal_a_long_one_for_every_network() -> None:
    settings = OptimizerSettings(lr=0.01)
    trainer = replace(TRAINER, batch_size=SAMPLES, epochs=4, optimizer=settings)
    long, long_peer = network(1), network(2)
    expected = state(trainer.train(long, context(peer_plan(long_peer))))
    half = replace(trainer, epochs=2)
    first = state(half.train(network(1), context(peer_plan(network(2)))))
    model, peer = network(8), network(9)
    model.load_state_dict(dict(first.own.tensors))
    peer.load_state_dict(dict(first.part("peer").tensors))
    lent = replace(peer_plan(peer), scaffold=first.part(SCAFFOLD).tensors)
    found = state(half.train(model, replace(context(lent), inherited=first)))
    for name, tensor in expected.tensors.items():
        torch.testing.assert_close(found.tensors[name], tensor, rtol=1e-3, atol=1e-5)


def test_equal_seeds_give_equal_states() -> None:
    found = [
        state(TRAINER.train(network(1), context(peer_plan(network(2))))).to_bytes()
        for _ in range(2)
    ]
    assert found[0] == found[1]


def test_edges_aggregators_and_diversity_are_reported_every_epoch() -> None:
    reports: list[dict[str, float]] = []

    def report(_step: int, /, **metrics: float) -> None:
        reports.append(metrics)

    TRAINER.train(network(1), replace(context(peer_plan(network(2))), report=report))
    assert len(reports) == 3
    for one in reports:
        assert one["cohort/task to candidate:logits/weight"] == 1
        assert one["cohort/task to candidate:logits/gradient"] > 0
        assert one["cohort/mean/entropy"] == pytest.approx(np.log(2))
        assert 0 < one["cohort/diversity"] < 1


def test_gradients_are_clipped_network_by_network() -> None:
    """What the candidate does not learn from, it does not feel either."""
    trainer = replace(TRAINER, max_norm=0.01)
    cohort = with_peer(aggregators={}, edges=(OWN, Edge(loss=TASK, to="peer:logits")))
    beside, alone = network(1), network(1)
    trainer.train(beside, context(plan(cohort, {"peer": network(2)})))
    trainer.train(alone, context(plan(Cohort(edges=(OWN,), stages=(Stage(sampler=IN_TURN),)), {})))
    for one, other in zip(beside.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def shallow(model: fx.GraphModule) -> fx.GraphModule:
    """Return a view of the model: its convolutions, with norms and a last layer of its own."""
    view = build_graph(graph())
    for block in ("a", "b"):
        view.get_submodule(block).add_module("conv", model.get_submodule(f"{block}.conv"))
    return view


def family(model: fx.GraphModule) -> CohortPlan:
    nodes = {
        "candidate": Node(kind="candidate"),
        "shallow": Node(kind="view", of="candidate", depths=(1,)),
    }
    cohort = Cohort(
        nodes=nodes,
        edges=(OWN, Edge(loss=TASK, to="shallow:logits")),
        stages=(Stage(train=("candidate", "shallow"), sampler=IN_TURN),),
        readout=("candidate", "shallow"),
    )
    view = shallow(model)
    own = {name for name in view.state_dict() if not name.endswith("conv.weight")}
    return replace(plan(cohort, {"shallow": view}), kept={"shallow": frozenset(own)})


def test_a_view_shares_weights_and_has_norms_of_its_own() -> None:
    model = network(1)
    lent = family(model)
    view = lent.networks["shallow"]
    trained = TRAINER.train(model, context(lent))
    assert view.get_parameter("a.conv.weight") is model.get_parameter("a.conv.weight")
    assert not torch.equal(view.get_parameter("a.bn.weight"), model.get_parameter("a.bn.weight"))
    assert not torch.equal(view.get_buffer("a.bn.running_mean"), torch.zeros(4))
    part = state(trained).part("shallow")
    assert part.tensors.keys() == lent.kept["shallow"]
    assert "a.conv.weight" not in part.slots["momentum_buffer"]
    assert "a.bn.weight" in part.slots["momentum_buffer"]
    assert trained.extra_macs == 3 * 100 * trained.samples


def test_a_view_that_is_handed_over_is_judged_as_the_candidate_is() -> None:
    model = network(1)
    lent = family(model)
    metrics = TRAINER.train(model, context(lent)).metrics
    names = {"error", "loss", "accuracy"}
    assert metrics.keys() == names | {f"{name}@shallow" for name in names}
    view = lent.networks["shallow"]
    inputs, labels = context().prepared["valid_x"], context().prepared["valid_y"]
    with torch.no_grad():
        wrong = (view.eval()(inputs).argmax(1) != labels).double().mean().item()
    assert metrics["error@shallow"] == pytest.approx(wrong)


@pytest.mark.parametrize("rule", ["soft", "dual-path"])
def test_a_candidate_is_pruned_while_it_learns_in_a_cohort(rule: str) -> None:
    rows = np.arange(4)[:, None]
    group = PlannedGroup(
        name="a.conv",
        size=4,
        keep=3,
        weights={"a.conv.weight": rows},
        rows={"a.conv.weight": rows, "a.bn.weight": rows, "a.bn.bias": rows},
        norms=("a.bn.weight",),
        columns={"b.conv.weight": rows},
    )

    def same(pruned: State) -> tuple[nn.Module, State]:
        model = network(1)
        model.load_state_dict(dict(pruned.tensors))
        return model, pruned

    schedule = Schedule(rule={"name": rule}, interval=2)
    pruning = PruningPlan(schedule=schedule, groups=(group,), compacted=same)
    peer = network(2)
    trained = TRAINER.train(network(1), replace(context(peer_plan(peer)), pruning=pruning))
    found = state(trained)
    assert (found.own.tensors["a.bn.weight"] == 0).sum() == 1
    assert found.part("peer").tensors.keys() == peer.state_dict().keys()
    assert "compact_error" in trained.metrics


def test_frozen_parameters_are_trainable_again_afterwards() -> None:
    model, peer = network(1), network(2)
    stage = Stage(train=("peer",), sampler=IN_TURN)
    cohort = with_peer(aggregators={}, edges=(Edge(loss=TASK, to="peer:logits"),), stages=(stage,))
    trained = TRAINER.train(model, context(plan(cohort, {"peer": peer})))
    assert all(tensor.requires_grad for tensor in model.parameters())
    assert trained.samples == 3 * SAMPLES


def test_a_curriculum_beside_a_cohort_is_refused() -> None:
    trainer = replace(TRAINER, curriculum=EasyToHard(scoring_epochs=1))
    lent = context(peer_plan(network(2)))
    with pytest.raises(ConfigError, match="both the curriculum and the cohort"):
        trainer.train(network(1), lent)
