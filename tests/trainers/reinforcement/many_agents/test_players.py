"""Players by rule do what their names say, and networks are shown what their agents see."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from evonas import seeds
from evonas_trainers.reinforcement.many_agents.games import AgentType, Game
from evonas_trainers.reinforcement.many_agents.grid_world import (
    OTHER,
    OTHER_HP,
    OWN_HP,
    Abilities,
    Sight,
    World,
)
from evonas_trainers.reinforcement.many_agents.players import (
    SCRIPTED,
    Look,
    Player,
    flee_player,
    greedy_player,
    own_health,
    random_player,
    rush_player,
    sampling_player,
    seen,
    shape_seen,
)

KIND = AgentType(view_range=3.0)
ABILITIES: Abilities = World(Game(own=KIND, other=KIND), 2, 12).abilities[0]
MIDDLE = 3


def sight(*enemies: tuple[int, int, float]) -> Sight:
    """Return what one agent sees of enemies: how far to the right, how far down, how healthy."""
    views = np.zeros((1, *ABILITIES.view), np.float32)
    views[:, MIDDLE, MIDDLE, OWN_HP] = 0.5
    for right, down, health in enemies:
        views[0, MIDDLE + down, MIDDLE + right, OTHER] = 1
        views[0, MIDDLE + down, MIDDLE + right, OTHER_HP] = health
    features = np.arange(ABILITIES.features, dtype=np.float32)[None]
    return Sight(np.zeros(1, np.int32), views, features)


def move(action: int) -> list[int]:
    return ABILITIES.moves[action].tolist()


@pytest.mark.parametrize(
    ("enemy", "way"), [((3, 0), [2, 0]), ((0, -3), [0, -2]), ((2, 2), [1, 1]), ((-2, 1), [-1, 1])]
)
def test_rush_goes_where_the_enemy_is_near(enemy: tuple[int, int], way: list[int]) -> None:
    player = rush_player(ABILITIES, seeds.stream(0))
    arrived = move(int(player(sight((*enemy, 1.0)))[0]))
    assert np.abs(np.subtract(enemy, arrived)).sum() <= np.abs(np.subtract(enemy, way)).sum()


def test_flee_goes_where_the_enemy_is_far() -> None:
    player = flee_player(ABILITIES, seeds.stream(0))
    assert move(int(player(sight((3, 0, 1.0)))[0])) == [-2, 0]


@pytest.mark.parametrize("made", [rush_player, flee_player])
def test_an_enemy_within_reach_is_hit_the_weakest_first(made: Callable[..., Player]) -> None:
    player = made(ABILITIES, seeds.stream(0))
    action = int(player(sight((1, 0, 0.9), (0, 1, 0.2), (2, 0, 0.1)))[0])
    assert action == ABILITIES.attacks[MIDDLE + 1, MIDDLE]


def test_rush_wanders_where_nobody_is_in_sight() -> None:
    player = rush_player(ABILITIES, seeds.stream(0))
    chosen = {int(player(sight())[0]) for _ in range(200)}
    assert chosen == set(range(len(ABILITIES.moves)))


def test_a_random_player_draws_every_action() -> None:
    player = random_player(ABILITIES, seeds.stream(0))
    assert {int(player(sight())[0]) for _ in range(400)} == set(range(ABILITIES.actions))


@pytest.mark.parametrize("name", SCRIPTED)
def test_a_side_without_agents_plays_nothing(name: str) -> None:
    one = sight()
    none = Sight(one.numbers[:0], one.views[:0], one.features[:0])
    assert SCRIPTED[name](ABILITIES, seeds.stream(0))(none).shape == (0,)


@pytest.mark.parametrize("look", ["vector", "planes"])
@pytest.mark.parametrize("features", [False, True])
def test_a_network_is_shown_what_its_signature_says(look: Look, features: bool) -> None:
    shown = seen(sight(), look, features=features)
    assert tuple(shown.shape[1:]) == shape_seen(ABILITIES, look, features=features)


def test_planes_are_the_channels_of_the_view_and_then_the_features() -> None:
    one = sight((2, 1, 0.25))
    planes = seen(one, "planes", features=True)
    assert planes[0, OTHER_HP, MIDDLE + 1, MIDDLE + 2] == 0.25
    assert torch.equal(planes[0, 5 + 7], torch.full((7, 7), 7.0))


def test_health_is_read_from_the_middle_of_the_view() -> None:
    assert own_health(sight()).tolist() == [0.5]


class Fixed(torch.nn.Module):
    """Returns the same outputs for whatever it is shown."""

    def __init__(self, *outputs: float) -> None:
        super().__init__()
        self.outputs = torch.tensor(outputs)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        return self.outputs.expand(len(shown), -1)


def test_a_sampling_player_draws_as_its_actor_likes() -> None:
    draws = torch.Generator().manual_seed(0)
    player = sampling_player(Fixed(0.0, 50.0, 50.0), lambda _: torch.zeros(400, 1), draws)
    chosen = player(sight())
    assert chosen.dtype == np.int32
    assert 150 < (chosen == 1).sum() < 250
    assert not (chosen == 0).any()


def test_a_greedy_player_leaves_the_value_out() -> None:
    player = greedy_player(Fixed(9.0, 1.0, 3.0, 2.0), lambda _: torch.zeros(2, 1))
    assert player(sight()).tolist() == [1, 1]
