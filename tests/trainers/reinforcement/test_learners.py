"""What TD3 and SAC learn from a batch, against numbers worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch
from sparse_policies import FACTS, NAMES, Training, batches, genome
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.state import TARGET, TRAINER
from evonas_trainers.reinforcement.critics import critics_loss, signatures, values
from evonas_trainers.reinforcement.descent import AdamSettings, Descent
from evonas_trainers.reinforcement.environments import Facts
from evonas_trainers.reinforcement.replay import Batch
from evonas_trainers.reinforcement.sac_learner import (
    SacLearner,
    SacSettings,
    actor_loss,
    soft_target,
    temperature_loss,
)
from evonas_trainers.reinforcement.target_networks import follow
from evonas_trainers.reinforcement.td3_learner import Td3Learner, Td3Settings

LEARNERS = pytest.mark.parametrize("name", NAMES)


def tensors(training: Training, start: str = "") -> dict[str, Tensor]:
    found = training.model.state_dict()
    return {name: one.clone() for name, one in found.items() if name.startswith(start)}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_what_ended_is_worth_its_reward_and_what_was_cut_off_what_comes_after() -> None:
    seen = torch.zeros(2, 3)
    batch = Batch(seen, seen, torch.tensor([1.0, 1.0]), seen, torch.tensor([True, False]))
    found = soft_target(
        batch, torch.tensor([5.0, 5.0]), torch.tensor([-2.0, -2.0]), torch.tensor(0.5), 0.9
    )
    assert found.tolist() == pytest.approx([1.0, 1 + 0.9 * (5 + 0.5 * 2)])


def test_the_losses_of_both_critics_add_up_with_weights() -> None:
    predicted, wanted = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([1.0, 4.0])
    assert critics_loss(predicted, wanted).item() == pytest.approx((0 + 4 + 4 + 16) / 2 / 2)
    weighted = critics_loss(predicted, wanted, torch.tensor([0.0, 3.0])).item()
    assert weighted == pytest.approx(3 * (4 + 16) / 2 / 2)


def test_the_actor_pays_for_certainty_and_the_temperature_falls_with_too_much_chance() -> None:
    log_probs, lesser = torch.tensor([-1.0, 1.0]), torch.tensor([2.0, 4.0])
    assert actor_loss(log_probs, lesser, torch.tensor(0.5)).item() == pytest.approx(-3.0)
    log_temperature = torch.tensor(0.0, requires_grad=True)
    temperature_loss(log_temperature, torch.tensor([-3.0]), -1.0).backward()
    assert log_temperature.grad is not None
    assert log_temperature.grad.item() == pytest.approx(3.0 - -1.0)  # entropy 3, -1 wanted


@LEARNERS
def test_samples_of_no_weight_teach_nothing(name: str) -> None:
    training = Training.begin(name, genome(name), is_sparse=False, weight_decay=0.0)
    before = tensors(training)
    for batch in batches(2):
        training.update(batch, torch.zeros(len(batch.rewards)))
    assert same(tensors(training), before)


@LEARNERS
def test_weights_of_one_are_no_weights(name: str) -> None:
    plain, weighted = (Training.begin(name, genome(name), is_sparse=False) for _ in range(2))
    for batch in batches(4):
        plain.update(batch)
        weighted.update(batch, torch.ones(len(batch.rewards)))
    assert same(tensors(plain), tensors(weighted))


@LEARNERS
def test_a_child_goes_on_as_if_its_parent_had_not_stopped(name: str) -> None:
    whole = Training.begin(name, genome(name), is_sparse=False)
    for batch in batches(8):
        whole.update(batch)
    first = Training.begin(name, genome(name), is_sparse=False)
    for batch in list(batches(8))[:4]:
        first.update(batch)
    state = first.learner.state()
    second = Training.begin(name, genome(name), is_sparse=False, inherited=state)
    second.start.generator.set_state(first.start.generator.get_state())
    for batch in list(batches(8))[4:]:
        second.update(batch)
    ended, wanted = second.learner.state(), whole.learner.state()
    for one, tensor in wanted.tensors.items():
        assert torch.equal(ended.tensors[one], tensor), one


@LEARNERS
def test_the_state_has_targets_of_the_candidates_names(name: str) -> None:
    training = Training.begin(name, genome(name), is_sparse=False)
    state = training.learner.state()
    assert state.part(TARGET).tensors.keys() == training.model.state_dict().keys()
    assert bool(state.part(TRAINER).tensors) == (name == "sac")


def test_the_actor_of_td3_learns_every_other_update() -> None:
    training = Training.begin("td3", genome("td3"), is_sparse=False)
    for number, batch in enumerate(batches(4), 1):
        actor, critic = tensors(training, "actor"), tensors(training, "critic1")
        training.update(batch)
        assert same(tensors(training, "actor"), actor) == (number % 2 == 1)
        assert not same(tensors(training, "critic1"), critic)


def test_td3_asks_its_targets_about_noisy_actions_within_the_clip() -> None:
    training = Training.begin("td3", genome("td3"), is_sparse=False)
    batch = next(batches(1))
    asked: list[Tensor] = []

    def note(_: nn.Module, inputs: tuple[Tensor]) -> None:
        asked.append(inputs[0][:, -2:])

    learner = Td3Learner(training.start, Td3Settings(target_noise=1e3, target_clip=0.25))
    learner.target_critics[0].register_forward_pre_hook(note)
    meant = learner.target_actor(batch.next_observations).tanh()
    learner.update(batch)
    assert torch.equal(asked[0].abs().clamp(max=1), asked[0].abs())
    inside = (meant.abs() < 0.75) & (asked[0].abs() < 1)
    assert torch.allclose((asked[0] - meant)[inside].abs(), torch.tensor(0.25))
    assert bool(inside.any())


def test_actions_of_sac_are_the_squashed_means_and_draws_vary() -> None:
    training = Training.begin("sac", genome("sac"), is_sparse=False)
    seen = next(batches(1)).observations
    means = training.model.get_submodule("actor")(seen)[:, :2].tanh()
    assert torch.equal(training.learner.act(seen), means)
    drawn = [training.learner.explore(seen) for _ in range(2)]
    assert not torch.equal(*drawn)
    assert float(torch.cat(drawn).abs().max()) <= 1


def test_the_temperature_is_tuned_to_the_entropy_that_is_wanted() -> None:
    def temperature(entropy_ratio: float) -> float:
        training = Training.begin("sac", genome("sac"), is_sparse=False)
        settings = SacSettings(adam=AdamSettings(lr=0.05), entropy_ratio=entropy_ratio)
        learner = SacLearner(training.start, settings)
        for batch in batches(10):
            learner.update(batch)
        return learner.state().part(TRAINER).tensors["log_temperature"].item()

    assert temperature(100.0) < math.log(1.0) < temperature(-100.0)


@pytest.mark.parametrize(("is_tuned", "expected"), [(True, 0.5), (False, 0.1)])
def test_a_temperature_is_inherited_only_if_it_is_tuned(is_tuned: bool, expected: float) -> None:
    training = Training.begin("sac", genome("sac"), is_sparse=False)
    parent = SacLearner(training.start, SacSettings(temperature=0.5)).state()
    settings = SacSettings(temperature=0.1, tunes_temperature=is_tuned)
    child = SacLearner(replace(training.start, inherited=parent), settings).state()
    found = child.part(TRAINER).tensors["log_temperature"].exp().item()
    assert found == pytest.approx(expected)


def test_targets_go_their_share_of_the_way() -> None:
    target, network = nn.Linear(2, 2), nn.Linear(2, 2)
    expected = 0.75 * target.weight.detach() + 0.25 * network.weight.detach()
    follow(target, network, 0.25)
    assert torch.allclose(target.weight, expected)


def test_a_step_gives_other_networks_no_gradients() -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 1)
    Descent(one.parameters(), AdamSettings()).step(other(one(torch.ones(1, 2))).sum())
    assert all(parameter.grad is None for parameter in other.parameters())


def test_critics_see_observation_and_action_side_by_side() -> None:
    critic = nn.Linear(5, 1, bias=False)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[1.0, 10, 100, 1000, 10_000]]))
    found = values([critic], torch.tensor([[1.0, 2, 3]]), torch.tensor([[4.0, 5]]))
    assert found.tolist() == [[54321.0]]


def test_pictures_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"observed as \(4, 8, 8\)"):
        signatures(Facts((4, 8, 8), 1, (-1.0,), (1.0,)), outputs=1)


def test_the_networks_fit_the_environment() -> None:
    found = signatures(FACTS, outputs=2)
    assert found["actor"].outputs == (4,)
    assert found["critic1"] == found["critic2"]
    assert found["critic1"].inputs == (5,)
