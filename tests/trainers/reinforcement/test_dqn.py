"""Deep Q-learning: its targets, and that it learns."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.policies import candidate, train
from support.tiny_environments import HERE
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.state import TARGET, State
from evonas_trainers.reinforcement.dqn import Dqn, worth
from evonas_trainers.reinforcement.replay import Batch
from evonas_trainers.reinforcement.scores import Judging

CORRIDOR, AIM, WAGE = (f"{HERE}:{name}-v0" for name in ("Corridor", "Aim", "Wage"))
SHORT = Judging(times=2, episodes=4, low=0.0, high=1.0)


def dqn(**fields: Any) -> Dqn:
    """A short training in the corridor, but for what is given."""
    short = Dqn(
        environment=CORRIDOR, steps=256, trials=1, judging=SHORT, warmup=64, reward_scale=1.0
    )
    return replace(short, **fields)


def constant(values: list[float]) -> nn.Module:
    """A network that says the same of everything."""
    net = nn.Linear(1, len(values))
    with torch.no_grad():
        net.weight.zero_()
        net.bias.copy_(torch.tensor(values))
    return net


@pytest.mark.parametrize(("is_double", "later"), [(True, 2.0), (False, 7.0)])
def test_a_choice_is_worth_its_reward_and_what_the_best_next_one_is(
    is_double: bool, later: float
) -> None:
    nothing = torch.zeros(2, 1)
    batch = Batch(
        nothing, torch.zeros(2).long(), torch.tensor([1.0, 1.0]), nothing,
        torch.tensor([False, True]),
    )  # fmt: skip
    net, target = constant([0.0, 5.0, 1.0]), constant([7.0, 2.0, 3.0])
    found = worth(batch, net, target, 0.5, is_double=is_double)
    assert torch.allclose(found, torch.tensor([1.0 + 0.5 * later, 1.0]))
    assert not found.requires_grad


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"length": 1}, 0.5), ({"length": 1000, "max_episode_steps": 1}, 1.0)],
    ids=["end", "cut"],
)
def test_a_choice_is_worth_less_where_an_episode_ends_than_where_it_is_cut_off(
    options: dict[str, int], expected: float
) -> None:
    """Every step pays 1, which counts half; and what comes after it, half of that again."""
    trainer = dqn(
        environment=WAGE, options=options, steps=800, discount=0.5, reward_scale=0.5, lr=1e-2,
        target_interval=5,
    )  # fmt: skip
    _, model = train(trainer)
    assert model(torch.ones(1, 1)).max().item() == pytest.approx(expected, abs=0.1)


@pytest.mark.slow
def test_choices_lead_through_a_corridor_by_the_shortest_way() -> None:
    """The values of the right end's neighbours say how far it is."""
    trained, model = train(dqn(steps=2400, exploration=0.8, discount=0.8))
    assert trained.metrics["final_return"] == 1.0
    values = model(torch.eye(6)[:5])
    assert (values.argmax(1) == 1).all()
    wanted = torch.tensor([0.8**steps for steps in (4, 3, 2, 1, 0)])
    assert torch.allclose(values[:, 1], wanted, atol=0.15)


def targets(state: State | None) -> Tensor:
    assert state is not None
    return torch.cat([one.flatten() for _, one in sorted(state.part(TARGET).tensors.items())])


def values(state: State | None) -> Tensor:
    assert state is not None
    return torch.cat([one.flatten() for _, one in sorted(state.own.tensors.items())])


def test_the_target_network_lags_until_the_interval_is_over() -> None:
    never, always = (train(dqn(target_interval=interval))[0].state for interval in (1000, 1))
    fresh = State.of(candidate(dqn()))
    assert torch.equal(targets(never), values(fresh))
    assert not torch.equal(targets(never), values(never))
    assert torch.equal(targets(always), values(always))


def test_a_child_goes_on_with_the_target_network_of_its_parent() -> None:
    trainer = dqn(target_interval=1000)
    parent = train(trainer)[0].state
    child = train(trainer, inherited=parent)[0].state
    assert torch.equal(targets(child), targets(parent))


@pytest.mark.parametrize(("progress", "share"), [(0.0, 1.0), (0.25, 0.55), (0.5, 0.1), (1.0, 0.1)])
def test_random_actions_become_fewer_in_a_line(progress: float, share: float) -> None:
    trainer = dqn(exploration=0.5, last_epsilon=0.1)
    assert trainer.epsilon(progress) == pytest.approx(share)


def test_continuous_actions_are_refused_before_anything_is_trained() -> None:
    with pytest.raises(ConfigError, match=r"'dqn' chooses among actions, .* 'ppo', 'sac' or 'td3'"):
        dqn(environment=AIM).prepare(0)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"capacity": 0}, "capacity is 0, should be 1 or more"),
        ({"max_norm": -1.0}, "max_norm is -1.0, should be more than 0"),
        ({"last_epsilon": 2.0}, "last_epsilon is 2.0, should be 0 to 1"),
        ({"steps": 8}, "there are 1 rounds of training for 2 evaluations; give more steps"),
    ],
)
def test_fields_out_of_range_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        dqn(**fields)
