"""Games of two sides on a grid: what the agents can do, and what they are rewarded for.

The three demonstrations of "MAgent: A Many-Agent Reinforcement Learning Platform for Artificial
Collective Intelligence" (Zheng et al., 2017, https://arxiv.org/abs/1712.00600), with the numbers of
MAgent2's `battle`, `gather` and `adversarial_pursuit`. One difference: prey that is caught is gone,
so that catches can be counted; there it is tagged as long as it is within reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, final

from evonas.errors import ConfigError, unknown

Side = Literal["own", "other"]
SIDES: tuple[Side, Side] = ("own", "other")


@final
@dataclass(frozen=True, kw_only=True)
class AgentType:
    """What the agents of a side can do; the fields have the names and meaning of MAgent2's.

    Attributes:
        width: Of the body, in cells.
        length: Of the body.
        hp: Health at birth, and the most there can be.
        speed: Furthest cell that one move reaches.
        view_range: How far an agent sees.
        attack_range: How far it hits.
        damage: What a hit takes from the other's health.
        step_recover: Health that comes back each turn.
        kill_supply: Health that whoever kills one gains.
        attack_in_group: Whether hits on one's own side count.
        step_reward: For every turn.
        kill_reward: For whoever kills one of these.
        dead_penalty: For dying.
        attack_penalty: For an attack, whether or not it hits.
    """

    width: int = 1
    length: int = 1
    hp: float = 10.0
    speed: float = 2.0
    view_range: float = 6.0
    attack_range: float = 1.5
    damage: float = 2.0
    step_recover: float = 0.1
    kill_supply: float = 0.0
    attack_in_group: bool = False
    step_reward: float = -0.005
    kill_reward: float = 5.0
    dead_penalty: float = -0.1
    attack_penalty: float = -0.1

    def __post_init__(self) -> None:
        for name in ("width", "length", "view_range"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 1 or more")
        for name in ("speed", "attack_range", "damage"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, should be 0 or more")
        if self.hp <= 0:
            raise ConfigError(f"hp is {self.hp!r}, should be more than 0")


@final
@dataclass(frozen=True, kw_only=True)
class Rule:
    """A reward for what an agent does to one of the other side.

    Attributes:
        on: What it does.
        by: Which side does it.
        reward: For who does it.
        loss: For whom it is done to.
    """

    on: Literal["attack", "kill", "collide"] = "attack"
    by: Side = "own"
    reward: float = 0.0
    loss: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class Game:
    """Two sides, and what is rewarded.

    Attributes:
        own: The side that learns.
        other: The side that it plays against.
        rules: Rewards beyond those of the types, by any name.
        own_ratio: Share of all agents that are of the own side.
        walls: Share of the cells that are walls.
    """

    own: AgentType = field(default_factory=AgentType)
    other: AgentType = field(default_factory=AgentType)
    rules: Mapping[str, Rule] = field(default_factory=dict[str, Rule])
    own_ratio: float = 0.5
    walls: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.own_ratio < 1:
            raise ConfigError(f"own_ratio is {self.own_ratio!r}, should be between 0 and 1")
        if not 0 <= self.walls < 1:
            raise ConfigError(f"walls is {self.walls!r}, should be 0 to 1")

    @property
    def is_alike(self) -> bool:
        """Whether both sides see and can do the same, so that either's policy plays for both."""
        return _abilities(self.own) == _abilities(self.other)

    def teams(self, agents: int) -> tuple[int, int]:
        """Return how many of `agents` are of the own side and of the other."""
        own = min(max(1, round(agents * self.own_ratio)), agents - 1)
        return own, agents - own


@final
@dataclass(frozen=True, kw_only=True)
class Shaping:
    """Rewards of the own side in place of the game's; None leaves those.

    They teach, and are no part of what a candidate is judged by, so they may be genes.

    Attributes:
        step_reward: For every turn.
        attack_penalty: For an attack, whether or not it hits.
        hit_reward: For a hit on the other side.
        kill_reward: For a kill.
        dead_penalty: For dying.
    """

    step_reward: float | None = None
    attack_penalty: float | None = None
    hit_reward: float | None = None
    kill_reward: float | None = None
    dead_penalty: float | None = None

    def applied(self, game: Game) -> Game:
        """Return the game with these rewards."""
        asked = {
            name: value
            for name in ("step_reward", "attack_penalty", "dead_penalty")
            if (value := getattr(self, name)) is not None
        }
        own, other, rules = replace(game.own, **asked), game.other, game.rules
        if self.kill_reward is not None:
            other = replace(other, kill_reward=self.kill_reward)
        if self.hit_reward is not None:
            rules = {**rules, HIT: Rule(reward=self.hit_reward)}
        return replace(game, own=own, other=other, rules=rules)


HIT = "hit"
"""The rule for hits of the own side."""

GAMES: Mapping[str, Game] = {
    "battle": Game(
        rules={HIT: Rule(reward=0.2), "hit_back": Rule(by="other", reward=0.2)},
    ),
    "gather": Game(
        own=AgentType(
            hp=3.0,
            speed=3.0,
            view_range=7.0,
            attack_range=1.0,
            damage=6.0,
            step_recover=0.0,
            attack_in_group=True,
            step_reward=-0.01,
            kill_reward=0.0,
            dead_penalty=-1.0,
        ),
        other=AgentType(
            hp=25.0,
            speed=0.0,
            view_range=1.0,
            attack_range=0.0,
            damage=0.0,
            step_recover=0.0,
            step_reward=0.0,
            dead_penalty=0.0,
            attack_penalty=0.0,
        ),
        rules={HIT: Rule(reward=0.5)},
        own_ratio=0.5,
    ),
    "pursuit": Game(
        own=AgentType(
            width=2,
            length=2,
            hp=1.0,
            speed=1.0,
            view_range=5.0,
            attack_range=2.0,
            damage=1.0,
            step_recover=0.0,
            step_reward=0.0,
            kill_reward=0.0,
            dead_penalty=0.0,
            attack_penalty=-0.2,
        ),
        other=AgentType(
            hp=1.0,
            speed=1.5,
            view_range=4.0,
            attack_range=0.0,
            damage=0.0,
            step_recover=0.0,
            step_reward=0.0,
            kill_reward=0.0,
            dead_penalty=0.0,
            attack_penalty=0.0,
        ),
        rules={HIT: Rule(reward=1.0, loss=-1.0)},
        own_ratio=1 / 3,
        walls=0.03,
    ),
}
"""The games by name; `custom` is whatever a run file says."""


def game_named(name: str, custom: Game | None) -> Game:
    """Return a game by its name.

    Raises:
        ConfigError: if there is none, or `custom` comes without a table or another with one.
    """
    if (custom is not None) != (name == "custom"):
        raise ConfigError(f"game is {name!r} and custom is {custom!r}; give a table to 'custom'")
    if custom is not None:
        return custom
    if name not in GAMES:
        raise unknown("game", name, [*GAMES, "custom"])
    return GAMES[name]


def _abilities(one: AgentType) -> AgentType:
    """Return a type without what it is rewarded for."""
    plain = {"step_reward": 0.0, "kill_reward": 0.0, "dead_penalty": 0.0, "attack_penalty": 0.0}
    return replace(one, **plain)
