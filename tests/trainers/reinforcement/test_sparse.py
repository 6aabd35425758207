"""Sparse policies keep their counts, and what grows begins at nothing."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from sparse_policies import NAMES, SPACE, Training, batches, genome, plan_of, with_half

from evonas import seeds
from evonas.errors import ConfigError
from evonas.genome import Genome
from evonas.genome.schedule import Curve, Schedule
from evonas.morph.inherit import inherit
from evonas.state import TARGET
from evonas_trainers.pruning.policy_presets import DsTd3
from evonas_trainers.pruning.presets import Ghfp
from evonas_trainers.reinforcement.sparse import Sparsity, keep_largest

LEARNERS = pytest.mark.parametrize("name", NAMES)
INTERVAL = 4


def schedule(**changes: Any) -> Schedule:
    return DsTd3(interval=INTERVAL, **{"fraction": 0.2, **changes}).schedule()


def half(name: str, **changes: Any) -> Genome:
    return with_half(genome(name), schedule(**changes))


@LEARNERS
def test_after_every_update_there_are_as_many_connections_and_the_rest_is_zero(name: str) -> None:
    networks = half(name)
    training, keep = Training.begin(name, networks), plan_of(networks).weights
    assert {weight.split(".")[0] for weight in keep} == {"actor", "critic1", "critic2"}
    for batch in batches(3 * INTERVAL):
        training.learner.update(batch)
        for weight, active in training.active.items():
            assert int(active.sum()) == keep[weight]
            assert not training.model.get_parameter(weight)[~active].any()
            assert not any(slot[~active].any() for slot in training.slots(weight))


@LEARNERS
def test_targets_have_as_many_weights_after_every_update_but_a_few_grown_ones(name: str) -> None:
    networks = half(name)
    training, keep = Training.begin(name, networks), plan_of(networks).weights
    for batch in batches(3 * INTERVAL):
        training.learner.update(batch)
        targets = training.learner.state().part(TARGET).tensors
        for weight, number in keep.items():
            left = int(targets[weight].count_nonzero())
            assert left <= number
            if weight.startswith("critic"):  # what has grown is 0 in both for a moment
                assert number - left <= 2


@LEARNERS
def test_connections_that_grow_begin_at_zero_with_moments_of_zero(name: str) -> None:
    training = Training.begin(name, half(name))
    num_grown = 0
    for batch in batches(3 * INTERVAL):
        before = training.active
        training.learner.update(batch)
        for weight, active in training.active.items():
            grown = active & ~before[weight]
            num_grown += int(grown.sum())
            assert not training.model.get_parameter(weight)[grown].any()
            assert not any(slot[grown].any() for slot in training.slots(weight))
    assert num_grown > 0


@LEARNERS
def test_actor_and_critics_exchange_connections_equally_often(name: str) -> None:
    training = Training.begin(name, half(name))
    moved: dict[str, int] = {}
    for batch in batches(4 * INTERVAL):
        before = training.active
        training.learner.update(batch)
        for weight, active in training.active.items():
            if not torch.equal(active, before[weight]):
                network = weight.split(".")[0]
                moved[network] = moved.get(network, 0) + ("hidden2" in weight)
    assert moved == dict.fromkeys(("actor", "critic1", "critic2"), moved["critic1"])
    assert moved["critic1"] >= 3


@LEARNERS
def test_without_exchange_connections_stay_and_weights_learn(name: str) -> None:
    training = Training.begin(name, half(name, fraction=0.0))
    first = training.active
    weights = {one: training.model.get_parameter(one).detach().clone() for one in first}
    for batch in batches(3 * INTERVAL):
        training.learner.update(batch)
    for weight, active in training.active.items():
        assert torch.equal(active, first[weight])
        assert not torch.equal(training.model.get_parameter(weight), weights[weight])


@LEARNERS
def test_output_layers_are_dense(name: str) -> None:
    assert not any("head" in weight for weight in plan_of(half(name)).weights)


@LEARNERS
def test_a_child_keeps_the_connections_and_targets_of_its_parent(name: str) -> None:
    parent = Training.begin(name, half(name))
    for batch in batches(2 * INTERVAL + 3):
        parent.learner.update(batch)
    parent.learner.finish()
    state = parent.learner.state()
    child = Training.begin(name, half(name), inherited=state, seed=5)
    born = child.learner.state()
    for tensors in (state.tensors, state.part(TARGET).tensors):
        assert any(bool((one == 0).any()) for one in tensors.values())
    assert all(torch.equal(born.tensors[one], tensor) for one, tensor in state.tensors.items())


@LEARNERS
def test_a_child_that_has_fewer_connections_starts_its_targets_anew(name: str) -> None:
    parent = Training.begin(name, genome(name), is_sparse=False)
    for batch in batches(5):
        parent.learner.update(batch)
    child = Training.begin(name, half(name), inherited=parent.learner.state())
    born = child.learner.state()
    own, targets = born.own.tensors, born.part(TARGET).tensors
    assert all(torch.equal(tensor, targets[one]) for one, tensor in own.items())


@LEARNERS
def test_a_trained_network_keeps_its_strongest_connections_and_a_fresh_one_random_ones(
    name: str,
) -> None:
    parent = Training.begin(name, genome(name), is_sparse=False)
    state = parent.learner.state()
    child, fresh = (Training.begin(name, half(name), inherited=one) for one in (state, None))
    for weight, active in child.active.items():
        sizes = state.tensors[weight].abs()
        assert float(sizes[active].min()) >= float(sizes[~active].max())
        assert not torch.equal(fresh.active[weight], active)


@LEARNERS
@pytest.mark.parametrize("operator", ["widen", "insert-layer", "insert-identity"])
def test_a_child_of_another_shape_has_as_many_connections_as_its_genes_say(
    name: str, operator: str
) -> None:
    networks = half(name)
    parent = Training.begin(name, networks)
    for batch in batches(2 * INTERVAL):
        parent.learner.update(batch)
    mutation = SPACE.mutations()[operator]
    edit = mutation.propose(networks, seeds.stream(3, "edit"))
    assert edit is not None
    born = mutation.apply(networks, edit)
    state = parent.learner.state()
    inherited = inherit(SPACE.mutations(), born, [(networks, state)], seeds.stream(4))
    child, keep = Training.begin(name, born, inherited=inherited), plan_of(born).weights
    for batch in batches(INTERVAL + 1):
        child.learner.update(batch)
    targets = child.learner.state().part(TARGET).tensors
    for weight, active in child.active.items():
        assert int(active.sum()) == keep[weight]
        assert not child.model.get_parameter(weight)[~active].any()
        assert int(targets[weight].count_nonzero()) <= keep[weight]


def test_a_rate_that_rises_ends_at_the_counts_of_the_genes() -> None:
    curve = Curve(kind="linear", end=1.0, until=0.5)
    networks = with_half(genome("td3"), replace(schedule(), rate=curve))
    training = Training.begin("td3", networks, num_updates=20)
    assert all(bool(active.all()) for active in training.active.values())
    for batch in batches(20):
        training.learner.update(batch)
    training.learner.finish()
    keep = plan_of(networks).weights
    assert {one: int(active.sum()) for one, active in training.active.items()} == dict(keep)


def test_a_rule_with_a_loss_of_its_own_is_refused() -> None:
    networks = with_half(genome("td3"), Ghfp().schedule())
    with pytest.raises(ConfigError, match="pruned by the rule 'regrow', and preset 'ghfp'"):
        Sparsity(SPACE.build(networks), plan_of(networks), torch.Generator())


@pytest.mark.parametrize("number", [1, 5, 12])
def test_the_largest_weights_stay(number: int) -> None:
    weight = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    kept = weight.clone()
    keep_largest(kept, number)
    assert (
        sorted(kept[kept != 0].abs().tolist()) == sorted(weight.abs().flatten().tolist())[-number:]
    )
