"""A battle is a short animation of every turn, small enough for a page."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from evonas import seeds
from evonas_trainers.reinforcement.many_agents.battles import Ground
from evonas_trainers.reinforcement.many_agents.games import GAMES
from evonas_trainers.reinforcement.many_agents.pictures import animation
from evonas_trainers.reinforcement.many_agents.players import rush_player

BATTLE = Ground(game=GAMES["battle"], agents=64, map_size=17, horizon=80)


def filmed(ground: Ground) -> tuple[float, bytes]:
    player = rush_player(ground.world().abilities[0], seeds.stream(0))
    score, film = animation(ground, player, "random", 3)
    return score.margin, film


def test_a_battle_of_eighty_turns_is_small() -> None:
    _, film = filmed(BATTLE)
    with Image.open(io.BytesIO(film)) as picture:
        assert picture.format == "GIF"
        assert max(picture.size) < 400
    assert len(film) < 300_000


def test_the_last_picture_shows_who_is_left() -> None:
    margin, film = filmed(BATTLE)
    with Image.open(io.BytesIO(film)) as picture:
        *_, last = (np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture))
    bar = last[0].astype(int)
    blue, orange = bar[:, 2] > 200, bar[:, 0] > 200
    assert margin > 0
    assert blue.sum() > orange.sum()


@pytest.mark.parametrize("game", ["gather", "pursuit"])
def test_every_game_is_drawn(game: str) -> None:
    _, film = filmed(replace(BATTLE, game=GAMES[game], map_size=30, horizon=5))
    with Image.open(io.BytesIO(film)) as picture:
        assert 2 <= getattr(picture, "n_frames", 0) <= 6


def test_a_large_map_is_drawn_smaller() -> None:
    _, film = filmed(replace(BATTLE, map_size=1000, horizon=2))
    with Image.open(io.BytesIO(film)) as picture:
        assert max(picture.size) < 700
