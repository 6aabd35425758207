"""Policies that learn together become good, and leave behind what a child goes on from."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from policy_cohorts import SPACE

from evonas import api, config
from evonas.errors import ConfigError
from evonas.history import Evaluation
from evonas.models import fresh_model
from evonas.state import TARGET
from evonas.trainer import Context, Trained
from evonas_spaces.mlp import Mlp
from evonas_trainers.reinforcement.cohort_dqn import OffPolicy, bellman
from evonas_trainers.reinforcement.cohort_ppo import OnPolicy, Rollout, loss
from evonas_trainers.reinforcement.opd_da import OpdDa
from evonas_trainers.reinforcement.replay import Batch

CPU = torch.device("cpu")
DQN = replace(
    OpdDa.example(),
    algorithm="dqn",
    batch_size=32,
    off_policy=OffPolicy(warmup=64, target_every=4, capacity=128),
)


def trained(trainer: OpdDa, inherited: Trained | None = None, space: Mlp = SPACE) -> Trained:
    """Train a policy alone."""
    prepared = trainer.prepare(0)
    model = fresh_model(space, space.seed(trainer.signatures(prepared)), 0)
    state = None if inherited is None else inherited.state
    if state is not None:
        model.load_state_dict(dict(state.own.tensors))
    return trainer.train(
        model, Context(CPU, torch.float32, 0, prepared, state, lambda *_, **__: None)
    )


def table(algorithm: str, **changes: Any) -> Mapping[str, Any]:
    return {
        "births": 3,
        "seed": 1,
        "executor": "serial",
        "tracker": "none",
        "durability": "flush",
        "objectives": {"fitness": "max"},
        "space": {"name": "mlp", "hidden": 8, "layers": 1},
        "trainer": {
            "name": "opd-da",
            "environment": "CartPole-v1",
            "algorithm": algorithm,
            "steps": 128,
            "horizon": 8,
            "batch_size": 64,
            "trials": 1,
            "judging": {"times": 1, "episodes": 2},
            "off_policy": {"warmup": 32},
        },
        "cohort": {"preset": "opd-da", "operators": ["cohort-clone", "cohort-grow"]},
        "controller": {"name": "random", "max_edits": 3, "from_seed": False},
        **changes,
    }


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_cohorts_of_policies_evolve_with_inherited_weights(algorithm: str, tmp_path: Path) -> None:
    found = api.search(table(algorithm), out=tmp_path / "run")
    for one in found.history:
        assert isinstance(one.outcome, Evaluation), one.outcome
    numbers = [one.outcome.metrics for one in found.history]  # type: ignore[union-attr]
    assert all(one["diversity"] > 0 for one in numbers)


@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_two_policies_cost_twice_the_steps_and_more_than_twice_the_passes(
    algorithm: str, tmp_path: Path
) -> None:
    changes = {"births": 1, "controller": "random"}
    both = api.search(table(algorithm, **changes), out=tmp_path / "both").history[0].outcome
    given = {name: one for name, one in table(algorithm, **changes).items() if name != "cohort"}
    alone = api.search(given, out=tmp_path / "alone").history[0].outcome
    assert isinstance(both, Evaluation)
    assert isinstance(alone, Evaluation)
    assert both.cost.samples == 2 * alone.cost.samples == 256
    assert both.cost.macs > 2 * alone.cost.macs


def test_a_policy_alone_leaves_nothing_but_itself() -> None:
    state = trained(OpdDa.example()).state
    assert state is not None
    assert state.tensors.keys() == state.own.tensors.keys()


def test_dqn_hands_on_its_target_network() -> None:
    first = trained(DQN)
    assert first.state is not None
    target = first.state.part(TARGET).tensors
    assert target.keys() == first.state.own.tensors.keys()
    assert any(not torch.equal(one, first.state.tensors[name]) for name, one in target.items())
    assert trained(DQN, first).state is not None


def test_a_step_is_worth_its_reward_and_what_comes_after_unless_that_is_the_end() -> None:
    def target(seen: torch.Tensor) -> torch.Tensor:
        return torch.cat([seen, 2 * seen], 1)

    batch = Batch(
        torch.zeros(3, 1),
        torch.zeros(3, dtype=torch.int64),
        torch.tensor([1.0, 1.0, 1.0]),
        torch.tensor([[1.0], [1.0], [-1.0]]),
        torch.tensor([False, True, False]),
    )
    found = bellman(_Module(target), batch, 0.5, 0.1)
    torch.testing.assert_close(found, torch.tensor([1.1, 0.1, -0.4]))


class _Module(torch.nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return self.function(seen)


def test_exploration_falls_along_a_line() -> None:
    settings = OffPolicy(first_exploration=1.0, last_exploration=0.2, explore_until=0.5)
    found = [settings.exploration(progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    assert found == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_the_loss_of_ppo_is_equation_nine() -> None:
    decisions = torch.log(torch.tensor([[0.5, 0.5], [0.8, 0.2]]))
    batch = Rollout(
        torch.zeros(2, 1),
        torch.tensor([0, 0]),
        torch.log(torch.tensor([0.5, 0.5])),
        torch.tensor([1.0, -1.0]),
        torch.tensor([0.0, 2.0]),
    )
    settings = OnPolicy(clip=0.2, entropy_price=0.1, value_price=0.5)
    found = loss(decisions, torch.tensor([1.0, 1.0]), batch, settings)
    entropy = (0.6931472 + 0.5004024) / 2
    assert found.item() == pytest.approx(0.5 * 1.0 - (1.0 - 1.6) / 2 - 0.1 * entropy, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "least"), [("ppo", 80.0), ("dqn", 60.0)])
def test_two_policies_learn_to_balance_the_pole(
    algorithm: Literal["ppo", "dqn"], least: float, tmp_path: Path
) -> None:
    given = dict(table(algorithm, births=1, controller="random"))
    given["space"] = {"name": "mlp", "hidden": 64, "layers": 2, "activation": "tanh"}
    given["trainer"] = {
        "name": "opd-da",
        "environment": "CartPole-v1",
        "algorithm": algorithm,
        "steps": 6_144,
        "batch_size": {"ppo": 256, "dqn": 64}[algorithm],
        "lr": 2e-3,
        "trials": 1,
        "judging": {"times": 1, "episodes": 8},
    }
    outcome = api.search(given, out=tmp_path / "run").history[0].outcome
    assert isinstance(outcome, Evaluation)
    assert outcome.metrics["member_return"] > least, "random actions get 22"


def test_continuous_actions_are_refused() -> None:
    trainer = OpdDa(environment="Pendulum-v1")
    with pytest.raises(ConfigError, match="'opd-da' chooses among actions"):
        trainer.prepare(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.0}, "lr is 0.0"),
        ({"parallel": 0}, "parallel is 0"),
        ({"discount": 1.5}, "discount is 1.5"),
        ({"algorithm": "sarsa"}, "should be 'ppo' or 'dqn'"),
        ({"steps": 8}, "give more steps"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(OpdDa.example(), **changes)


@pytest.mark.slow
def test_the_run_file_finds_policies(root: Path, tmp_path: Path) -> None:
    given = tomllib.loads((root / "runs/opd_da.toml").read_text(encoding="utf-8"))
    given |= {"births": 3, "executor": "serial", "tracker": "none"}
    given["trainer"] |= {"steps": 256, "trials": 1, "judging": {"times": 1, "episodes": 2}}
    found = api.search(config.from_table(given, "opd_da"), out=tmp_path / "run")
    assert all(isinstance(one.outcome, Evaluation) for one in found.history)
