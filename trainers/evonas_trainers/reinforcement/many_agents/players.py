"""Who plays a side: by chance, by rule, or by a network.

`rush` and `flee` are rules for the two sides of a hunt: hit what is within reach, else go to the
nearest enemy in sight, or away from it; where none is in sight, wander. They see no more than a
policy does, and the same holds for a former champion: a policy that learns no more.
"""

from collections.abc import Callable, Mapping
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evonas.seeds import Rng
from evonas_trainers.reinforcement.distributions import Categorical
from evonas_trainers.reinforcement.many_agents.grid_world import (
    OTHER,
    OTHER_HP,
    OWN_HP,
    Abilities,
    Flags,
    Floats,
    Ints,
    Sight,
)

Player = Callable[[Sight], Ints]
"""Chooses an action for every agent of a sight."""

Look = Literal["vector", "planes"]
"""What a network is shown: one vector an agent, or a picture of its surroundings."""

CHAMPION = "champion"


def random_player(abilities: Abilities, rng: Rng) -> Player:
    """Return a player that draws every action."""
    return lambda sight: rng.integers(abilities.actions, size=len(sight.numbers)).astype(np.int32)


def rush_player(abilities: Abilities, rng: Rng) -> Player:
    """Return a player that goes to the nearest enemy and hits the weakest within reach."""
    return _Hunt(abilities, rng, away=False)


def flee_player(abilities: Abilities, rng: Rng) -> Player:
    """Return a player that goes away from the nearest enemy, and hits those within reach."""
    return _Hunt(abilities, rng, away=True)


SCRIPTED: Mapping[str, Callable[[Abilities, Rng], Player]] = {
    "random": random_player,
    "rush": rush_player,
    "flee": flee_player,
}
"""Players that need no network, by name."""


def shape_seen(abilities: Abilities, look: Look, *, features: bool) -> tuple[int, ...]:
    """Return the shape of what a network is shown of one agent."""
    height, width, channels = abilities.view
    beside = abilities.features if features else 0
    if look == "planes":
        return (channels + beside, height, width)
    return (height * width * channels + beside,)


def seen(sight: Sight, look: Look, *, features: bool) -> Tensor:
    """Return what a network is shown: (agents, numbers), or (agents, channels, height, width).

    Of a picture, each of the features is a plane of its own, the same everywhere.
    """
    views = torch.from_numpy(sight.views)
    beside = torch.from_numpy(sight.features)
    if look == "vector":
        flat = views.flatten(1)
        return torch.cat([flat, beside], 1) if features else flat
    planes = views.permute(0, 3, 1, 2)
    if not features:
        return planes.contiguous()
    everywhere = beside[:, :, None, None].expand(-1, -1, *planes.shape[2:])
    return torch.cat([planes, everywhere], 1)


def sampling_player(
    actor: nn.Module, show: Callable[[Sight], Tensor], generator: torch.Generator
) -> Player:
    """Return a player that draws from what an actor finds likely."""

    def play(sight: Sight) -> Ints:
        with torch.no_grad():
            chosen = Categorical(actor(show(sight))).sample(generator)
        return _numpy(chosen)

    return play


def greedy_player(net: nn.Module, show: Callable[[Sight], Tensor]) -> Player:
    """Return a player that takes what a value network of `dueling` outputs finds best."""

    def play(sight: Sight) -> Ints:
        with torch.no_grad():
            return _numpy(net(show(sight))[:, 1:].argmax(1))

    return play


def _numpy(chosen: Tensor) -> Ints:
    return chosen.to(torch.int32).cpu().numpy()


@final
class _Hunt:
    """Plays `rush` or `flee`."""

    def __init__(self, abilities: Abilities, rng: Rng, *, away: bool) -> None:
        height, width, _ = abilities.view
        rows, columns = np.mgrid[:height, :width]
        cells = np.stack([columns - (width - 1) / 2, rows - (height - 1) / 2], -1).reshape(-1, 2)
        apart = cells[:, None] - abilities.moves[None]
        self._distances = np.linalg.norm(apart, axis=-1)  # of a cell from where a move leads
        self._from_here = np.linalg.norm(cells, axis=-1)
        self._attacks = abilities.attacks.reshape(-1)
        self._num_moves, self._rng, self._away = len(abilities.moves), rng, away

    def __call__(self, sight: Sight) -> Ints:
        number, height, width, channels = sight.views.shape
        views = sight.views.reshape(number, height * width, channels)
        enemies = views[:, :, OTHER] > 0
        chosen = self._rng.integers(self._num_moves, size=number).astype(np.int32)
        spots = enemies.any(1)
        nearest = np.where(enemies, self._from_here, np.inf).argmin(1)
        ways = self._distances[nearest]
        ways = ways + self._rng.random(ways.shape) * 1e-3  # ties are broken by chance
        best = ways.argmax(1) if self._away else ways.argmin(1)
        chosen[spots] = best[spots].astype(np.int32)
        hits, target = self._targets(enemies, views[:, :, OTHER_HP])
        chosen[hits] = self._attacks[target[hits]]
        return chosen

    def _targets(self, enemies: Flags, health: Floats) -> tuple[Flags, NDArray[np.intp]]:
        """Return which agents can hit an enemy, and the cell of the weakest one within reach."""
        within = enemies & (self._attacks >= 0)
        weakest = np.where(within, health, np.inf).argmin(1)
        return np.asarray(within.any(1)), weakest


def own_health(sight: Sight) -> Floats:
    """Return each agent's health, as a share of the most there can be."""
    _, height, width, _ = sight.views.shape
    return sight.views[:, (height - 1) // 2, (width - 1) // 2, OWN_HP]
