"""MAgent2's grid world behind a few types: the one module that knows magent2.

Its PettingZoo face makes a dictionary entry an agent and turn and is 5 to 10 times slower, so this
talks to the engine below it. What that hands out is copied, since it reuses its buffers; agents are
known by their number in the team, since rows move up when the dead are cleared.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from evonas.errors import ConfigError
from evonas_trainers.reinforcement.many_agents.games import SIDES, AgentType, Game

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]

WALL, OWN, OWN_HP, OTHER, OTHER_HP = range(5)
"""Channels of a view."""

_RANGES = {"view_range", "attack_range"}
_MAX_SEED = 2**31
_MOST_WALLS = 9_999
"""That the engine tells of; it writes into a buffer for these, however many there are."""
_CROWDED = 0.7
"""Of the free cells; placing agents at random takes for ever where there is no room."""


@final
@dataclass(frozen=True)
class Abilities:
    """What an agent of a side sees, and what its actions do.

    Attributes:
        view: Height, width and channels of what it sees around it.
        features: How many numbers beside: its last action, one-hot, and the last reward.
        moves: (moves, 2), right and down; action k is the k-th of these.
        attacks: (height, width), the action that hits a cell of the view; -1 where none does.
        actions: How many there are, moves first.
    """

    view: tuple[int, int, int]
    features: int
    moves: Ints
    attacks: Ints
    actions: int


@final
@dataclass(frozen=True)
class Sight:
    """What the living agents of a side see.

    Attributes:
        numbers: Of the agents, from 0 on in their team.
        views: (agents, height, width, channels).
        features: (agents, features).
    """

    numbers: Ints
    views: Floats
    features: Floats


@final
@dataclass(frozen=True)
class Turn:
    """What came of a turn for the agents of one side that acted in it.

    Attributes:
        rewards: One an agent, of those that died, too.
        alive: Which live on.
    """

    rewards: Floats
    alive: Flags


@final
class World:
    """A grid with two sides on it.

    Attributes:
        teams: How many agents of each side there are at the start.
        abilities: Of each side.
    """

    def __init__(self, game: Game, agents: int, map_size: int) -> None:
        """Make an empty world.

        Raises:
            ConfigError: if there is too little room, or magent2 is not installed.
        """
        self.teams = game.teams(agents)
        self._map_size, self._num_walls = map_size, int(game.walls * map_size**2)
        _check_room(game, self.teams, self._num_walls, map_size)
        self._engine: Any = _engine().GridWorld(_config(game, map_size))
        self._handles: list[Any] = self._engine.get_handles()
        self.abilities = tuple(
            self._abilities(handle, kind)
            for handle, kind in zip(self._handles, (game.own, game.other), strict=True)
        )

    def start(self, seed: int) -> None:
        """Put all agents to places drawn from `seed`."""
        self._engine.set_seed(seed % _MAX_SEED)
        self._engine.reset()
        if self._num_walls:
            self._engine.add_walls(method="random", n=self._num_walls)
        for handle, number in zip(self._handles, self.teams, strict=True):
            self._engine.add_agents(handle, method="random", n=number)
        self._first = [int(self._engine.get_agent_id(handle).min()) for handle in self._handles]

    def sight(self, side: int) -> Sight:
        """Return what the living agents of a side see."""
        views, features = self._engine.get_observation(self._handles[side])
        return Sight(self._numbers(side), views.copy(), features.copy())

    def positions(self, side: int) -> Ints:
        """Return (agents, 2), columns and rows of the living agents of a side."""
        return self._engine.get_pos(self._handles[side])

    def walls(self) -> Ints:
        """Return (walls, 2), columns and rows of the walls; none if there are too many to ask."""
        if self._num_walls + 4 * self._map_size >= _MOST_WALLS:
            return np.zeros((0, 2), np.int32)
        return self._engine._get_walls_info().copy()  # noqa: SLF001 - its only way to them

    def turn(self, *actions: Ints) -> tuple[Turn, Turn]:
        """Let the living agents of both sides act, those of the own side first in the arguments."""
        for handle, chosen in zip(self._handles, actions, strict=True):
            self._engine.set_action(handle, chosen.astype(np.int32, copy=False))
        self._engine.step()
        own, other = (
            Turn(self._engine.get_reward(handle), self._engine.get_alive(handle))
            for handle in self._handles
        )
        self._engine.clear_dead()
        return own, other

    def living(self) -> tuple[int, int]:
        """Return how many agents of each side are alive."""
        own, other = (self._engine.get_num(handle) for handle in self._handles)
        return own, other

    def _numbers(self, side: int) -> Ints:
        return self._engine.get_agent_id(self._handles[side]) - np.int32(self._first[side])

    def _abilities(self, handle: Any, kind: AgentType) -> Abilities:
        height, width, channels = (int(one) for one in self._engine.get_view_space(handle))
        start, attacks = self._engine.get_view2attack(handle)
        moves = _moves(kind.speed)
        assert len(moves) == start, "attacks follow moves"
        return Abilities(
            (height, width, channels),
            int(self._engine.get_feature_space(handle)[0]),
            moves,
            np.where(attacks >= 0, attacks + start, -1).astype(np.int32),
            int(self._engine.get_action_space(handle)[0]),
        )


def _moves(speed: float) -> Ints:
    """Return the cells within reach, row by row, as the engine counts them."""
    reach = range(-int(speed), int(speed) + 1)
    found = [(x, y) for y in reach for x in reach if x * x + y * y <= speed * speed]
    return np.array(found, np.int32)


def _check_room(game: Game, teams: tuple[int, int], num_walls: int, map_size: int) -> None:
    cells = (kind.width * kind.length for kind in (game.own, game.other))
    asked = sum(number * cell for number, cell in zip(teams, cells, strict=True))
    free = (map_size - 2) ** 2 - num_walls
    if map_size < 3 or min(teams) < 1 or asked > _CROWDED * free:
        raise ConfigError(
            f"{sum(teams)} agents take {asked} cells of a map of {map_size} x {map_size} with"
            f" {max(0, free)} free ones; at most {_CROWDED:.0%} may be taken, by at least two"
        )


def _config(game: Game, map_size: int) -> Any:
    """Return the game in the engine's own terms."""
    engine = _engine()
    config = engine.Config()
    config.set({"map_width": map_size, "map_height": map_size, "embedding_size": 0})
    groups = [
        config.add_group(config.register_agent_type(side, _attributes(kind)))
        for side, kind in zip(SIDES, (game.own, game.other), strict=True)
    ]
    anyone = [engine.AgentSymbol(group, index="any") for group in groups]
    for rule in game.rules.values():
        who, whom = anyone if rule.by == "own" else anyone[::-1]
        event = engine.Event(who, rule.on, whom)
        config.add_reward_rule(event, receiver=[who, whom], value=[rule.reward, rule.loss])
    return config


def _attributes(kind: AgentType) -> dict[str, Any]:
    """Return a fresh dictionary, into which the engine will write."""
    engine = _engine()
    return {
        name: engine.CircleRange(value) if name in _RANGES else value
        for name, value in vars(kind).items()
    }


@cache
def _engine() -> ModuleType:
    """Import the engine; it is slow to start, and of use where agents act alone.

    Raises:
        ConfigError: if it is not installed.
    """
    try:
        with _one_thread():
            from magent2 import gridworld  # noqa: PLC0415 - see above
    except ImportError as error:
        raise ConfigError(
            f"agents act in magent2, which cannot be imported ({error}); install it by"
            " `pip install 'evonas[rl]'`"
        ) from error
    return gridworld


@contextmanager
def _one_thread() -> Generator[None]:
    """Let a library that is loaded inside start one thread, and leave no trace of that.

    Without the variable magent2 sets it to half the cores for this process and all its children,
    which is none on a single core. One thread was measured to be the fastest at 100,000 agents.
    """
    name = "OMP_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
