"""Battles: from the placing of the agents until a side is gone or the time is up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from evonas import seeds
from evonas_trainers.reinforcement.many_agents.games import Game
from evonas_trainers.reinforcement.many_agents.grid_world import Ints, Sight, World
from evonas_trainers.reinforcement.many_agents.players import (
    SCRIPTED,
    Look,
    Player,
    seen,
    shape_seen,
)

OWN, OTHER = 0, 1


@final
@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where battles are fought, and what a network is shown of them.

    Attributes:
        game: What is played.
        agents: Of both sides.
        map_size: Height and width, walls around it included.
        horizon: Turns until the time is up.
        look: See `evonas_trainers.reinforcement.many_agents.players`.
        features: Whether a network is told its agent's last action and reward, too.
    """

    game: Game
    agents: int
    map_size: int
    horizon: int
    look: Look = "vector"
    features: bool = False

    def world(self) -> World:
        """Return an empty world."""
        return World(self.game, self.agents, self.map_size)

    def shape(self, world: World) -> tuple[int, ...]:
        """Return the shape of what a network is shown of an agent of the own side."""
        return shape_seen(world.abilities[OWN], self.look, features=self.features)

    def shown(self, sight: Sight) -> Tensor:
        """Return what a network is shown."""
        return seen(sight, self.look, features=self.features)

    def shows_on(self, device: torch.device) -> Callable[[Sight], Tensor]:
        """Return a function to what a network is shown, on a device."""
        return lambda sight: self.shown(sight).to(device)


@final
@dataclass(frozen=True)
class Score:
    """How battles went, per head of the own side.

    Attributes:
        kills: Of the other side, dead of whatever.
        deaths: Of the own side.
    """

    kills: float
    deaths: float

    @property
    def margin(self) -> float:
        """Kills less deaths."""
        return self.kills - self.deaths


@final
@dataclass(frozen=True)
class Opponents:
    """Players of the other side by name, each battle's with draws of its own.

    Attributes:
        champion: Plays as `champion`, if there is one.
    """

    champion: Player | None = None

    def player(self, name: str, world: World, seed: int) -> Player:
        """Return the player of one battle."""
        if name in SCRIPTED:
            return SCRIPTED[name](world.abilities[OTHER], seeds.stream(seed, "opponent"))
        assert self.champion is not None, "the pool holds a champion only where there is one"
        return self.champion


def battle(
    world: World,
    players: tuple[Player, Player],
    horizon: int,
    seed: int,
    watch: Callable[[World], None] = lambda _: None,
) -> Score:
    """Fight one battle.

    Args:
        world: Where.
        players: Of the own side and the other.
        horizon: Turns until the time is up.
        seed: Of where the agents are placed.
        watch: Is shown the world at the start and after each turn.
    """
    world.start(seed)
    watch(world)
    for _ in range(horizon):
        actions = [player(world.sight(side)) for side, player in enumerate(players)]
        world.turn(*actions)
        watch(world)
        if min(world.living()) == 0:
            break
    own, other = world.teams
    living = world.living()
    return Score((other - living[OTHER]) / own, (own - living[OWN]) / own)


@final
@dataclass(frozen=True)
class Deeds:
    """What the living agents of the own side did in one turn, and what came of it.

    Attributes:
        numbers: Of the agents in their team.
        seen: What the network was shown: (agents, ...).
        actions: What they did.
        rewards: What they got for it; a last one for those that died of it.
        reached: What it was shown next, zeros for the dead.
        terminated: For whom nothing comes after: the dead, and all once a side is gone.
        ended: For whom the next row belongs to another battle, or to nobody.
    """

    numbers: Tensor
    seen: Tensor
    actions: Tensor
    rewards: Tensor
    reached: Tensor
    terminated: Tensor
    ended: Tensor


@final
class Campaign:
    """Battle after battle against the players of a pool, who take turns."""

    def __init__(
        self, ground: Ground, pool: tuple[str, ...], opponents: Opponents, seed: int
    ) -> None:
        """Start the first battle."""
        self._ground, self._pool, self._opponents, self._seed = ground, pool, opponents, seed
        self._world = ground.world()
        self._battles = 0
        self._begin()

    @property
    def team(self) -> int:
        """How many agents of the own side a battle begins with."""
        return self._world.teams[OWN]

    def turn(self, choose: Callable[[Tensor], Tensor]) -> Deeds:
        """Play one turn, in which `choose` maps what is seen to actions; both on any device."""
        world, sight = self._world, self._sight
        actions = choose(self._shown)
        theirs = self._opponent(world.sight(OTHER))
        own, _ = world.turn(_ints(actions), theirs)
        self._turns += 1
        is_over = min(world.living()) == 0
        is_cut = self._turns == self._ground.horizon
        before, self._sight = self._shown, world.sight(OWN)
        self._shown = self._ground.shown(self._sight)
        alive = torch.from_numpy(own.alive)
        reached = torch.zeros_like(before)
        reached[alive] = self._shown
        terminated = ~alive | is_over
        deeds = Deeds(
            torch.from_numpy(sight.numbers).long(),
            before,
            actions,
            torch.from_numpy(own.rewards),
            reached,
            terminated,
            terminated | is_cut,
        )
        if is_over or is_cut:
            self._begin()
        return deeds

    def _begin(self) -> None:
        """Start the next battle."""
        seed = seeds.integer(self._seed, "battle", self._battles)
        name = self._pool[self._battles % len(self._pool)]
        self._opponent = self._opponents.player(name, self._world, seed)
        self._world.start(seed)
        self._battles += 1
        self._turns = 0
        self._sight = self._world.sight(OWN)
        self._shown = self._ground.shown(self._sight)


def _ints(actions: Tensor) -> Ints:
    return actions.to(torch.int32).cpu().numpy()
