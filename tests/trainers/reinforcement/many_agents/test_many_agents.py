"""Agents that share a policy learn to win, and meet their parents on the way."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from evonas import api
from evonas.errors import ConfigError
from evonas.history import Evaluation
from evonas.models import fresh_model
from evonas.state import TARGET, State
from evonas.trainer import Context, Trained
from evonas_spaces.mlp import Mlp
from evonas_trainers.reinforcement.many_agents.games import (
    GAMES,
    AgentType,
    Game,
    Rule,
    Shaping,
)
from evonas_trainers.reinforcement.many_agents.shared_dqn import SharedDqn
from evonas_trainers.reinforcement.many_agents.shared_ppo import SharedPpo
from evonas_trainers.reinforcement.many_agents.trainer import ManyAgents
from evonas_trainers.reinforcement.scores import Judging

SPACE = Mlp(hidden=16)
BRIEF = replace(ManyAgents.example(), trials=1)
DUEL = ManyAgents(
    agents=20,
    map_size=10,
    horizon=30,
    hp=4.0,
    view_range=3.0,
    shaping=Shaping(attack_penalty=-0.02),
    opponents=("random",),
    judges=("random",),
    trials=1,
    steps=900,
    judging=Judging(times=1, episodes=16),
    ppo=SharedPpo(turns=30, lr=5e-3, batch_size=256, epochs=4),
    dqn=SharedDqn(lr=3e-3, batch_size=128, target_turns=50),
)


def fresh(trainer: ManyAgents, seed: int = 0) -> nn.Module:
    return fresh_model(SPACE, SPACE.seed(trainer.signatures(trainer.prepare(0))), seed)


def trained(
    trainer: ManyAgents, model: nn.Module, seed: int = 0, inherited: State | None = None
) -> Trained:
    if inherited is not None:
        model.load_state_dict(dict(inherited.own.tensors))
    return trainer.train(model, context(trainer, seed, inherited))


def context(trainer: ManyAgents, seed: int = 0, inherited: State | None = None) -> Context:
    prepared, device = trainer.prepare(0), torch.device("cpu")
    return Context(device, torch.float32, seed, prepared, inherited, lambda *_, **__: None)


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "steps"), [("ppo", 1500), ("dqn", 900)])
def test_a_side_learns_to_win_against_chance(algorithm: Any, steps: int) -> None:
    trainer = replace(DUEL, algorithm=algorithm, steps=steps)
    model = fresh(trainer)
    before = trainer.test(model, context(trainer))
    found = trained(trainer, model)
    assert before["return"] < 0.25
    assert found.metrics["final_return"] > 0.5
    assert trainer.test(model, context(trainer))["return"] > 0.5


@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
@pytest.mark.parametrize("game", ["battle", "gather", "pursuit"])
def test_every_game_is_played_by_either_method(game: str, algorithm: Any) -> None:
    trainer = replace(
        BRIEF, game=game, algorithm=algorithm, map_size=16, view_range=None, opponents=("random",)
    )
    metrics = trained(trainer, fresh(trainer)).metrics
    assert 0 <= metrics["kills"] <= 5
    assert 0 <= metrics["deaths"] <= 1


def test_a_game_of_ones_own_is_played() -> None:
    archers = AgentType(attack_range=3.0, view_range=4.0, hp=2.0)
    rules = {"clash": Rule(on="collide", by="other", reward=-1.0)}
    game = Game(own=archers, other=AgentType(view_range=2.0), rules=rules, own_ratio=0.25)
    trainer = replace(BRIEF, game="custom", custom=game, view_range=None, opponents=("rush",))
    assert trainer.prepare(0)["observation"].tolist() == [9 * 9 * 5]
    assert trained(trainer, fresh(trainer)).samples > 0


def test_planes_are_for_convolutions() -> None:
    trainer = replace(BRIEF, look="planes", features=True)
    channels, height, width = trainer.prepare(0)["observation"].tolist()
    assert (channels, height, width) == (5 + 22, 7, 7)
    model = nn.ModuleDict(
        {
            name: nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Flatten(), nn.Linear(100, outputs))
            for name, outputs in (("actor", 21), ("critic", 1))
        }
    )
    assert trained(trainer, model).samples > 0


def test_a_child_meets_its_parent_and_a_founder_does_not() -> None:
    founder = trained(BRIEF, fresh(BRIEF))
    child = trained(BRIEF, fresh(BRIEF), 1, founder.state)
    assert "against_champion" not in founder.metrics
    assert abs(child.metrics["against_champion"]) <= 2


@pytest.mark.slow
def test_a_child_that_does_not_learn_is_as_good_as_its_champion() -> None:
    duel = replace(DUEL, algorithm="dqn", steps=600)
    winner = trained(duel, fresh(duel)).state
    trainer = replace(
        duel,
        steps=50,
        opponents=("random", "champion"),
        judging=Judging(times=1, episodes=24),
        dqn=replace(DUEL.dqn, lr=1e-12),
    )
    same = trained(trainer, fresh(trainer), 5, winner).metrics
    assert abs(same["against_champion"]) < 0.2 < same["against_random"] - 0.2


def test_whom_a_child_trains_against_is_no_matter_of_chance() -> None:
    parent = trained(BRIEF, fresh(BRIEF)).state
    first, again = (trained(BRIEF, fresh(BRIEF, at), 3, parent) for at in (0, 1))
    assert dict(first.metrics) == dict(again.metrics)


def test_rewards_that_teach_are_no_part_of_the_fitness() -> None:
    still = replace(BRIEF, ppo=replace(BRIEF.ppo, lr=1e-12))
    rich = replace(still, shaping=Shaping(hit_reward=100.0, step_reward=50.0, kill_reward=-3.0))
    found, shaped = (trained(one, fresh(one)).metrics for one in (still, rich))
    assert found["fitness"] == pytest.approx(shaped["fitness"])


def test_the_state_of_values_holds_their_target() -> None:
    trainer = replace(BRIEF, algorithm="dqn")
    state = trained(trainer, fresh(trainer)).state
    assert state is not None
    assert state.part(TARGET).tensors.keys() == state.own.tensors.keys()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"game": "batle"}, r"unknown game 'batle'.*battle"),
        ({"game": "custom"}, r"give a table to 'custom'"),
        ({"custom": Game()}, r"give a table to 'custom'"),
        ({"opponents": ("rsh",)}, r"unknown opponent 'rsh'.*rush"),
        ({"judges": ("champion",)}, r"unknown judge 'champion'"),
        ({"judges": ()}, r"give a judge"),
        ({"opponents": ("champion",)}, r"one opponent of random, rush, flee at least"),
        ({"game": "pursuit"}, r"in 'pursuit' the sides are not alike"),
        ({"steps": 3}, "rounds of training for"),
        ({"horizon": 0}, r"horizon is 0"),
    ],
)
def test_what_cannot_be_played_is_refused(asked: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(BRIEF, **asked)


def test_a_map_without_room_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(ConfigError, match=r"5000 agents take 5000 cells of a map of 9 x 9"):
        replace(BRIEF, agents=5000).prepare(0)


def test_sides_are_alike_where_they_can_do_the_same() -> None:
    assert [name for name, game in GAMES.items() if game.is_alike] == ["battle"]


@pytest.mark.slow
def test_the_committed_search_evolves_a_side(root: Path, workplace: Path) -> None:
    table = tomllib.loads((root / "runs/many_agents.toml").read_text(encoding="utf-8"))
    table |= {"births": 5, "lookahead": 2, "executor": "serial", "tracker": "none"}
    table["controller"] |= {"population": 3}
    table["trainer"] |= {"agents": 20, "map_size": 10, "steps": 160}
    table["trainer"]["judging"] = {"times": 2, "episodes": 1}
    found = api.search(table, out=workplace / "r")
    outcomes = [one.outcome for one in found.history]
    assert all(isinstance(one, Evaluation) for one in outcomes)
    assert any("against_champion" in one.metrics for _, one in found.history.evaluated())
    page = found.report().read_text(encoding="utf-8")
    assert page.count('src="data:image/gif;base64,') == 2
