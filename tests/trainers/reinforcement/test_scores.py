"""How policies are judged: scale, area, price, and episodes that count once."""

import pytest
import torch
from support.tiny_environments import HERE
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas_trainers.reinforcement import scores
from evonas_trainers.reinforcement.environments import facts
from evonas_trainers.reinforcement.scores import METRICS, Judging, episode_returns, num_weights

COUNT, DRAWN = f"{HERE}:Count-v0", f"{HERE}:Drawn-v0"


def always_one(observations: Tensor) -> Tensor:
    return torch.ones(len(observations), dtype=torch.int64)


def test_the_area_is_the_mean_of_the_curve_between_random_and_solved() -> None:
    judging = Judging(low=100.0, high=300.0)
    assert judging.metrics([100.0, 150.0, 350.0], "X", 0) == {
        "fitness": 0.5, "area": 0.5, "final_return": 350.0,
    }  # fmt: skip


def test_ten_thousand_weights_cost_the_price() -> None:
    judging = Judging(low=0.0, high=1.0, weight_price=0.25)
    found = judging.metrics([1.0], "X", 20_000)
    assert found["area"] == 1.0
    assert found["fitness"] == 0.5


def test_every_promised_metric_is_there() -> None:
    assert Judging().metrics([1.0], "CartPole-v1", 1).keys() == METRICS.keys()


@pytest.mark.parametrize(
    ("judging", "expected"),
    [
        (Judging(), scores.KNOWN["CartPole-v1"]),
        (Judging(low=0.0), (0.0, scores.KNOWN["CartPole-v1"][1])),
        (Judging(low=-1.0, high=1.0), (-1.0, 1.0)),
    ],
)
def test_what_is_given_comes_before_what_is_known(
    judging: Judging, expected: tuple[float, float]
) -> None:
    assert judging.scale("CartPole-v1") == expected


@pytest.mark.parametrize("judging", [Judging(), Judging(low=1.0), Judging(low=2.0, high=1.0)])
def test_without_a_scale_it_is_said_what_to_give(judging: Judging) -> None:
    with pytest.raises(ConfigError, match=r"'X-v0' have no scale; give judging\.low"):
        judging.scale("X-v0")


def test_every_known_scale_rises() -> None:
    assert all(low < high for low, high in scores.KNOWN.values())


@pytest.mark.parametrize(
    ("name", "episodes", "error"),
    [("CartPole-v1", 100, 4.0), ("Pendulum-v1", 30, 200.0), ("InvertedPendulum-v5", 50, 2.0)],
)
def test_random_actions_return_what_counts_as_nothing(
    name: str, episodes: int, error: float
) -> None:
    known, draws = facts(name), torch.Generator().manual_seed(0)

    def act(observations: Tensor) -> Tensor:
        chances = torch.rand(len(observations), known.actions, generator=draws)
        return chances.argmax(1) if known.is_choice else known.scaled(2 * chances - 1)

    returns = episode_returns(act, name, episodes, 0)
    assert returns.mean().item() == pytest.approx(scores.KNOWN[name][0], abs=error)


@pytest.mark.parametrize("total", [4, 5, 7, 100])
def test_moments_are_evenly_spread_and_the_last_is_the_end(total: int) -> None:
    moments = Judging(times=4).moments(total)
    gaps = [after - before for before, after in zip([0, *moments], moments, strict=False)]
    assert len(moments) == 4
    assert moments[-1] == total
    assert max(gaps) - min(gaps) <= 1


def test_fewer_rounds_than_evaluations_are_refused() -> None:
    with pytest.raises(ConfigError, match="there are 3 rounds of training for 4 evaluations; give"):
        Judging(times=4).moments(3)


@pytest.mark.parametrize("fields", [{"times": 0}, {"episodes": 0}])
def test_a_judging_needs_episodes(fields: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="times and episodes of 1 or more"):
        Judging(**fields)


def test_a_return_is_that_of_the_first_episode_of_each_environment() -> None:
    """Poles fall at different times, after which new episodes run until the last has fallen."""
    returns = episode_returns(always_one, "CartPole-v1", 6, 0)
    alone = [episode_returns(always_one, "CartPole-v1", 1, 0)]
    assert returns.shape == (6,)
    assert len(returns.unique()) > 1
    assert (returns < 12).all(), "pushed to one side a pole falls within 12 steps"
    assert returns[0] == alone[0]


def test_a_cut_episode_returns_what_it_came_to() -> None:
    options = {"length": 50, "max_episode_steps": 7}
    assert episode_returns(always_one, COUNT, 2, 0, options).tolist() == [7.0, 7.0]


def test_an_episode_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "LONGEST_EPISODE", 50)
    with pytest.raises(ConfigError, match=r"not ended after 50 steps.*max_episode_steps"):
        episode_returns(always_one, COUNT, 1, 0, {"length": 1000})


def test_judging_computes_no_gradients() -> None:
    net = nn.Linear(1, 2)
    seen: list[bool] = []

    def act(observations: Tensor) -> Tensor:
        values = net(observations)
        seen.append(values.requires_grad)
        return values.argmax(-1)

    episode_returns(act, COUNT, 1, 0)
    assert seen == [False, False, False]


def test_a_test_has_more_episodes_and_its_own_numbers() -> None:
    judging = Judging(episodes=5, low=0.0, high=4.0)
    found = judging.tested(nn.Linear(3, 1), always_one, COUNT, 0, {"length": 2})
    assert found == {
        "fitness": 0.5, "area": 0.5, "final_return": 2.0,
        "return": 2.0, "return_error": 0.0, "worst_return": 2.0,
    }  # fmt: skip
    drawn = judging.tested(nn.Linear(3, 1), always_one, "CartPole-v1", 0)
    assert drawn["worst_return"] < drawn["return"]
    assert drawn["return_error"] > 0


def test_weights_that_are_zero_are_not_counted() -> None:
    net = nn.Linear(3, 2)
    with torch.no_grad():
        net.weight.fill_(1.0)
        net.bias.copy_(torch.tensor([0.0, 2.0]))
    assert num_weights(net) == 7
