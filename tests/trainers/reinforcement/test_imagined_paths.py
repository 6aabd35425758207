"""What is learned of an environment, and what is imagined with it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from evonas import devices
from evonas.errors import ConfigError
from evonas_trainers.reinforcement.cloning import Cloning, clone
from evonas_trainers.reinforcement.dynamics.data_set import noisy, uniform
from evonas_trainers.reinforcement.dynamics.deterministic import Dynamics, Learning, learned
from evonas_trainers.reinforcement.dynamics.experience import Experience, collect
from evonas_trainers.reinforcement.dynamics.fitting import Fitting
from evonas_trainers.reinforcement.dynamics.network import Ensemble, Shape
from evonas_trainers.reinforcement.dynamics.paths import (
    Imagining,
    Paths,
    World,
    gained,
    imagine,
)
from evonas_trainers.reinforcement.dynamics.scale import Scale
from evonas_trainers.reinforcement.environments import Environments, Facts
from evonas_trainers.reinforcement.linear_baseline import expected

FACTS = Facts((2,), 1, (-2.0,), (2.0,))


def drawing(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def policy(inputs: int, outputs: int) -> nn.Module:
    with devices.seeded(0, torch.device("cpu")):
        return nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs))


def of_members(*changes: float) -> Dynamics:
    """Dynamics of which each member adds a number of its own."""
    shape = Shape(members=len(changes), depth=0)
    network = Ensemble(shape, 3, 2, drawing())
    with torch.no_grad():
        network.weights[0].zero_()
        network.biases[0].copy_(torch.tensor(changes)[:, None, None].expand(-1, 1, 2))
    plain = Scale(torch.zeros(2), torch.ones(2))
    return Dynamics(network, plain, plain, torch.full((2,), -9.0), torch.full((2,), 9.0))


def steps_up(observations: Tensor, actions: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
    """Pays how far the first number has come; beyond 5 it is over."""
    assert not (actions.abs() > 2).any(), "in the environment's box"
    return reached[:, 0] - observations[:, 0], reached[:, 0] > 5


def world(dynamics: Dynamics) -> World:
    return World(dynamics, steps_up, torch.zeros(3, 2), FACTS)


def test_every_member_continues_equally_many_rows() -> None:
    reached = of_members(1.0, 2.0, 3.0).reached(torch.zeros(12, 2), torch.zeros(12, 1), drawing())
    assert sorted(reached[:, 0].tolist()) == [1.0] * 4 + [2.0] * 4 + [3.0] * 4


def test_a_row_meets_every_member() -> None:
    dynamics, draws = of_members(1.0, 2.0, 3.0), drawing()
    met = {
        dynamics.reached(torch.zeros(3, 2), torch.zeros(3, 1), draws)[0, 0].item()
        for _ in range(30)
    }
    assert met == {1.0, 2.0, 3.0}


def test_rows_are_given_back_in_their_order() -> None:
    seen = torch.arange(24.0).reshape(12, 2)
    reached = of_members(1.0, 1.0, 1.0).reached(seen, torch.zeros(12, 1), drawing())
    assert torch.equal(reached, seen + 1)


def test_a_change_is_held_within_those_that_were_seen() -> None:
    held = replace(of_members(7.0), largest=torch.tensor([0.5, 9.0]))
    reached = held.reached(torch.zeros(4, 2), torch.zeros(4, 1), drawing())
    assert reached.tolist() == [[0.5, 7.0]] * 4


def test_where_an_episode_is_over_a_path_goes_on_from_another_start() -> None:
    paths = imagine(
        policy(2, 2), world(of_members(1.0, 1.0)), Imagining(steps=20, horizon=10), drawing()
    )
    assert paths.observations[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]
    assert paths.terminated[:, 0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert paths.rewards.eq(1).all()


@pytest.mark.parametrize(("steps", "paths"), [(20, 3), (30, 3), (31, 6), (1, 3)])
def test_there_are_as_many_paths_as_members_share(steps: int, paths: int) -> None:
    dynamics = of_members(0.0, 0.0, 0.0)
    made = imagine(policy(2, 2), world(dynamics), Imagining(steps=steps, horizon=10), drawing())
    assert made.rewards.shape == (10, paths)


def test_what_was_gained_is_a_sum_of_errors_within_each_episode() -> None:
    rewards = torch.randn(6, 4, generator=drawing(1))
    terminated = torch.zeros(6, 4, dtype=torch.bool)
    terminated[2, 1] = terminated[5, 3] = True
    seen = torch.randn(6, 4, 2, generator=drawing(2))
    paths = Paths(seen, torch.zeros(6, 4, 1), rewards, terminated)
    settings = Imagining(discount=0.9, trace=0.7)
    returns, made = torch.zeros(6, 4), torch.zeros(6, 4)
    for path in range(4):
        later = 0.0
        for step in reversed(range(6)):
            later = 0.0 if terminated[step, path] else later
            later = rewards[step, path].item() + 0.9 * later
            returns[step, path] = later
    values = expected(seen, returns)
    for path in range(4):
        later = 0.0
        for step in reversed(range(6)):
            last = step == 5 or bool(terminated[step, path])
            upcoming = 0.0 if last else values[step + 1, path].item()
            error = rewards[step, path].item() + 0.9 * upcoming - values[step, path].item()
            later = error + (0.0 if last else 0.9 * 0.7 * later)
            made[step, path] = later
    assert torch.allclose(gained(paths, world(of_members(0.0)), settings), made, atol=1e-4)


def test_a_baseline_expects_what_is_linear_in_its_features() -> None:
    seen = torch.randn(30, 8, 2, generator=drawing())
    time = torch.arange(30.0)[:, None] / 100
    returns = 3 * seen[..., 0] - 2 * seen[..., 1] ** 2 + 5 * time**2 - 1
    assert torch.allclose(expected(seen, returns), returns, atol=1e-2)


def test_a_path_that_leaves_all_numbers_stops_the_training() -> None:
    dynamics = of_members(float("nan"))
    with pytest.raises(FloatingPointError, match="what the dynamics imagine"):
        imagine(policy(2, 2), world(dynamics), Imagining(steps=4, horizon=2), drawing())


@pytest.mark.parametrize("settings", [{"horizon": 0}, {"steps": -1}, {"discount": 1.1}])
def test_settings_that_imagine_nothing_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="given"):
        Imagining(**settings)  # pyright: ignore[reportArgumentType]


def swings(steps: int, seed: int) -> Experience:
    with Environments("Pendulum-v1", 5, seed) as running:
        return collect(uniform(1, seed), running, steps)


def test_experience_is_what_the_environment_did() -> None:
    found = swings(20, 0)
    assert len(found) == 20
    assert found.actions.abs().max() <= 1
    speed = found.observations[:, 2]
    torque = 3 * 5 * found.observations[:, 1] + 3 * 2 * found.actions[:, 0]
    assert torch.allclose(found.reached[:, 2], speed + 0.05 * torque, atol=1e-4)


def test_dynamics_foretell_where_an_action_leads() -> None:
    settings = Learning(
        shape=Shape(members=3, width=32), fitting=Fitting(epochs=60, batch_size=64), lr=3e-3
    )
    dynamics, fitted = learned(swings(600, 0), settings, drawing())
    assert fitted.losses.max() < 0.05, "predicting the mean change has 1"
    fresh = swings(300, 1)
    told = dynamics.reached(fresh.observations, fresh.actions, drawing(1))
    still = (fresh.reached - fresh.observations).square().mean()
    assert (fresh.reached - told).square().mean() < 0.05 * still


def test_a_clone_does_what_was_done() -> None:
    with Environments("Pendulum-v1", 5, 0) as running:
        data = collect(noisy(lambda seen: seen[:, 1:2] * 0.5, 0.1, 0), running, 500)
    model = policy(3, 2)
    clone(model, data, Cloning(steps=300, lr=1e-2, deviation=0.3), drawing())
    mean, log_deviation = model(data.observations).detach().chunk(2, -1)
    assert (mean - 0.5 * data.observations[:, 1:2]).square().mean() < 0.02
    assert torch.allclose(log_deviation.exp(), torch.tensor(0.3), atol=0.05)


def test_a_policy_that_imitates_nobody_starts_with_the_deviation_all_the_same() -> None:
    data = Experience(
        torch.randn(200, 3, generator=drawing()), torch.full((200, 1), 0.9), torch.zeros(200, 3)
    )
    model = policy(3, 2)
    clone(model, data, Cloning(steps=300, lr=1e-2, deviation=0.3), drawing(), imitate=False)
    mean, log_deviation = model(data.observations).detach().chunk(2, -1)
    assert torch.allclose(log_deviation.exp(), torch.tensor(0.3), atol=0.05)
    assert (mean - 0.9).abs().mean() > 0.3


def test_cloning_that_diverges_says_so() -> None:
    data = Experience(torch.zeros(9, 3), torch.full((9, 1), float("inf")), torch.zeros(9, 3))
    with pytest.raises(FloatingPointError, match="loss of cloning"):
        clone(policy(3, 2), data, Cloning(steps=2), drawing())
