"""The grid world is repeatable, hands out copies, and knows each agent by its number."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from evonas import seeds
from evonas.errors import ConfigError
from evonas_trainers.reinforcement.many_agents.games import GAMES, AgentType, Game, Rule
from evonas_trainers.reinforcement.many_agents.grid_world import Ints, World

FIERCE = AgentType(hp=2.0, damage=2.0, step_recover=0.0, view_range=3.0)


def by_chance(world: World, seed: int) -> list[Ints]:
    rng = seeds.stream(0, "actions", seed)
    return [
        rng.integers(abilities.actions, size=living).astype(np.int32)
        for abilities, living in zip(world.abilities, world.living(), strict=True)
    ]


def history(world: World, seed: int, turns: int = 10) -> list[object]:
    world.start(seed)
    told: list[object] = []
    for at in range(turns):
        own, other = world.turn(*by_chance(world, at))
        told += [own.rewards.tolist(), other.alive.tolist(), world.positions(0).tolist()]
    return [*told, world.sight(0).views.sum().item()]


@pytest.mark.parametrize("name", GAMES)
def test_a_seed_gives_the_same_battle_in_a_used_world_and_a_new_one(name: str) -> None:
    used = World(GAMES[name], 40, 24)
    history(used, 1)
    assert history(used, 2) == history(World(GAMES[name], 40, 24), 2) != history(used, 3)


def test_what_was_seen_stays_as_it_was() -> None:
    world = World(Game(own=FIERCE, other=FIERCE), 40, 12)
    world.start(0)
    first = world.sight(0)
    kept = first.views.copy()
    world.turn(*by_chance(world, 0))
    world.sight(0)
    assert np.array_equal(first.views, kept)


def test_an_agent_keeps_its_number_when_others_have_died() -> None:
    world = World(Game(own=FIERCE, other=FIERCE), 60, 13)
    world.start(0)
    expected = [np.arange(number) for number in world.teams]
    for at in range(12):
        before = [world.sight(side).numbers for side in (0, 1)]
        assert all(map(np.array_equal, before, expected))
        turns = world.turn(*by_chance(world, at))
        expected = [numbers[turn.alive] for numbers, turn in zip(before, turns, strict=True)]
    assert min(world.living()) < 30, "some have died, or nothing was asked"


def test_the_dead_get_a_last_reward() -> None:
    kind = replace(FIERCE, step_reward=0.0, attack_penalty=0.0, dead_penalty=-7.0, kill_reward=0.0)
    world = World(Game(own=kind, other=kind), 60, 13)
    world.start(0)
    for at in range(12):
        own, _ = world.turn(*by_chance(world, at))
        assert np.array_equal(own.rewards, np.where(own.alive, 0.0, -7.0))


def test_rules_reward_who_does_it_and_whom_it_is_done_to() -> None:
    plain = replace(FIERCE, step_reward=0.0, attack_penalty=0.0, dead_penalty=0.0, kill_reward=0.0)
    rules = {"hit": Rule(on="attack", by="own", reward=2.0, loss=-3.0)}
    world = World(Game(own=plain, other=replace(plain, hp=100.0), rules=rules), 60, 13)
    world.start(0)
    own, other = world.turn(*by_chance(world, 0))
    assert own.rewards.sum() > 0
    assert set(own.rewards.tolist()) <= {0.0, 2.0}
    assert other.rewards.sum() == -1.5 * own.rewards.sum()


@pytest.mark.parametrize("speed", [1.0, 1.5, 2.0, 3.0])
def test_a_move_leads_where_it_says(speed: float) -> None:
    world = World(Game(own=AgentType(speed=speed), other=AgentType()), 2, 24)
    arrived = 0
    for seed, move in enumerate(world.abilities[0].moves):
        world.start(seed)
        (before,) = world.positions(0)
        world.turn(np.array([seed], np.int32), np.array([6], np.int32))
        (after,) = world.positions(0)
        inside = ((before + move > 0) & (before + move < 23)).all()
        arrived += bool(inside)
        assert np.array_equal(after - before, move if inside else after - before)
    assert arrived > len(world.abilities[0].moves) / 2


@pytest.mark.parametrize(
    ("agents", "map_size"), [(64, 10), (2, 2), (1, 10)], ids=["crowded", "tiny", "alone"]
)
def test_a_world_without_room_is_refused(agents: int, map_size: int) -> None:
    with pytest.raises(ConfigError, match=f"{agents} agents? take"):
        World(GAMES["battle"], agents, map_size)


@pytest.mark.parametrize("threads", [None, "3"])
def test_the_engine_leaves_no_trace_in_the_environment(threads: str | None) -> None:
    program = (
        "import os\n"
        "from evonas_trainers.reinforcement.many_agents.grid_world import World\n"
        "from evonas_trainers.reinforcement.many_agents.games import GAMES\n"
        "World(GAMES['battle'], 4, 12)\n"
        "print(os.environ.get('OMP_NUM_THREADS'))"
    )
    variables = {"PYTHONPATH": ":".join(sys.path)}
    if threads is not None:
        variables["OMP_NUM_THREADS"] = threads
    said = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(threads)


def test_a_missing_engine_is_named_with_its_extra() -> None:
    program = (
        "import sys\n"
        "sys.modules['magent2'] = None\n"
        "from evonas_trainers.reinforcement.many_agents.grid_world import World\n"
        "from evonas_trainers.reinforcement.many_agents.games import GAMES\n"
        "World(GAMES['battle'], 4, 12)\n"
    )
    variables = {"PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False
    )
    assert "ConfigError: agents act in magent2" in said.stderr
    assert "pip install 'evonas[rl]'" in said.stderr
