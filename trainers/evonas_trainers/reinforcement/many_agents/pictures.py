"""A battle as a short animation."""

import io
from typing import final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evonas_trainers.reinforcement.many_agents.battles import Ground, Opponents, Score, battle
from evonas_trainers.reinforcement.many_agents.grid_world import World
from evonas_trainers.reinforcement.many_agents.players import Player, own_health

_SIDE, _LARGEST = 340, 680
"""Pixels of a side: a cell takes a whole number of them; of large maps several cells take one."""
_BAR, _GAP = 10, 3
_MILLISECONDS, _AT_END = 120, 1500
_MOST_FRAMES = 100
_SHADES = 4
_COLOURS = (((38, 66, 100), (94, 174, 255)), ((98, 56, 30), (255, 150, 70)))
"""Of each side, next to death and in full health; both stand out from the ground, and do so for
the colour-blind."""

_GROUND, _WALL, _FIRST = 0, 1, 2
_PALETTE = [(27, 35, 45), (96, 108, 122)]

Cells = NDArray[np.uint8]
"""Places in the palette."""


def animation(ground: Ground, player: Player, name: str, seed: int) -> tuple[Score, bytes]:
    """Fight a battle against a player by rule; return how it ended, and a GIF of it."""
    world = ground.world()
    film = _Film(ground)
    players = (player, Opponents().player(name, world, seed))
    score = battle(world, players, ground.horizon, seed, film.take)
    return score, film.to_gif()


@final
class _Film:
    """Pictures of a battle, one a turn."""

    def __init__(self, ground: Ground) -> None:
        self._size = ground.map_size
        self._bodies = [(kind.width, kind.length) for kind in (ground.game.own, ground.game.other)]
        self._frames: list[Cells] = []

    def take(self, world: World) -> None:
        """Take a picture of the world as it is."""
        cells = np.full((self._size, self._size), _GROUND, np.uint8)
        walls = world.walls()
        cells[walls[:, 1], walls[:, 0]] = _WALL
        for side, (width, length) in enumerate(self._bodies):
            columns, rows = world.positions(side).T
            health = own_health(world.sight(side)).clip(0, 1)
            colour = _FIRST + side * _SHADES + np.ceil(health * (_SHADES - 1)).astype(np.uint8)
            for right in range(width):
                for down in range(length):
                    cells[rows + down, columns + right] = colour
        self._frames.append(self._drawn(cells, world))

    def to_gif(self) -> bytes:
        """Return all pictures, or some of many, as an animation that begins anew at its end."""
        chosen = np.linspace(0, len(self._frames) - 1, min(len(self._frames), _MOST_FRAMES))
        first, *others = [_image(self._frames[at]) for at in chosen.round().astype(int)]
        file = io.BytesIO()
        first.save(
            file,
            "GIF",
            save_all=True,
            append_images=others,
            duration=[*[_MILLISECONDS] * len(others), _AT_END],
            loop=0,
            optimize=False,
        )
        return file.getvalue()

    def _drawn(self, cells: Cells, world: World) -> Cells:
        """Return the pixels of a map, with a bar above of how many of each side are left."""
        pixels = self._enlarged(cells)
        width = pixels.shape[1]
        bar = np.full((_BAR + _GAP, width), _GROUND, np.uint8)
        own, other = (
            round(width / 2 * left / whole)
            for left, whole in zip(world.living(), world.teams, strict=True)
        )
        bar[:_BAR, :own] = _FIRST + _SHADES - 1
        bar[:_BAR, width - other :] = _FIRST + 2 * _SHADES - 1
        return np.vstack([bar, pixels])

    def _enlarged(self, cells: Cells) -> Cells:
        """Return pixels of cells, with a gap between these where there is room for one."""
        if len(cells) > _LARGEST:
            block = -(-len(cells) // _LARGEST)
            padded = np.pad(cells, (0, -len(cells) % block))
            count = len(padded) // block
            return padded.reshape(count, block, count, block).max((1, 3))
        scale = max(1, _SIDE // len(cells))
        pixels = cells.repeat(scale, 0).repeat(scale, 1)
        if scale > 4:
            gaps = np.arange(len(pixels)) % scale == 0
            bodies = pixels != _WALL
            pixels[gaps[:, None] & bodies] = _GROUND
            pixels[gaps[None, :] & bodies] = _GROUND
        return pixels


def _image(pixels: Cells) -> Image.Image:
    image = Image.fromarray(pixels, "P")
    image.putpalette([part for colour in [*_PALETTE, *_shades()] for part in colour])
    return image


def _shades() -> list[tuple[int, ...]]:
    """Return the colours of both sides, from faint to full."""
    return [
        tuple(
            round(low + (high - low) * shade / (_SHADES - 1))
            for low, high in zip(faint, full, strict=True)
        )
        for faint, full in _COLOURS
        for shade in range(_SHADES)
    ]
