"""BREMEN on the pendulum: offline and by deployments, with its ablations, and bad input."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas import api, devices
from evonas.errors import ConfigError
from evonas.history import Evaluation
from evonas.state import State
from evonas.trainer import Context, Report, Stopped, Trained
from evonas_trainers.reinforcement.bremen import Bremen
from evonas_trainers.reinforcement.cloning import Cloning
from evonas_trainers.reinforcement.dynamics.deterministic import Learning
from evonas_trainers.reinforcement.dynamics.experience import Experience
from evonas_trainers.reinforcement.dynamics.fitting import Fitting
from evonas_trainers.reinforcement.dynamics.network import Shape
from evonas_trainers.reinforcement.dynamics.paths import Imagining
from evonas_trainers.reinforcement.scores import Judging

CPU = torch.device("cpu")
QUICK = Learning(shape=Shape(members=2, width=16), fitting=Fitting(epochs=2, batch_size=64))
TINY = Bremen(
    environment="Pendulum-v1",
    judging=Judging(times=2, episodes=2),
    trials=1,
    steps=100,
    deployments=2,
    iterations=2,
    cloning=Cloning(steps=5),
    dynamics=QUICK,
    imagining=Imagining(steps=40, horizon=10),
)


def policy(seed: int = 0) -> nn.Module:
    with devices.seeded(seed, CPU):
        return nn.Sequential(
            nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)
        )


def ignore(_step: int, /, **_metrics: float) -> None:
    """Take a report and do nothing."""


def trained(
    trainer: Bremen,
    model: nn.Module,
    inherited: State | None = None,
    report: Report = ignore,
    prepared: Mapping[str, Tensor] | None = None,
) -> Trained:
    data = trainer.prepare(0) if prepared is None else prepared
    context = Context(CPU, torch.float32, 0, data, inherited, report)
    return trainer.train(model, context)


def test_real_steps_are_counted_and_imagined_ones_apart() -> None:
    found = trained(TINY, policy())
    assert found.samples == 100
    assert found.metrics["deployments"] == 2
    assert found.metrics["imagined_steps"] == 2 * 2 * 40
    assert found.extra_macs > 0


def test_offline_nothing_is_deployed_and_the_data_set_is_all_that_counts() -> None:
    found = trained(replace(TINY, data="random"), policy())
    assert found.samples == 100
    assert found.metrics["deployments"] == 0
    assert found.metrics["imagined_steps"] == 2 * 40


def test_what_the_dynamics_cost_is_counted() -> None:
    wide = replace(QUICK, shape=Shape(members=2, width=32))
    small, large = (
        trained(replace(TINY, dynamics=one), policy()).extra_macs for one in (QUICK, wide)
    )
    more = (4 * 32 + 32 * 32 + 32 * 3) - (4 * 16 + 16 * 16 + 16 * 3)  # a row through one member
    fitted = 2 * 2 * ((50 - 7) + (100 - 15))  # members, epochs, rows that are not held out
    assert large - small == more * (3 * fitted + 2 * 2 * 40)


def test_every_deployment_adds_to_the_steps_that_are_reported() -> None:
    steps: list[int] = []

    def report(step: int, /, **_metrics: float) -> None:
        steps.append(step)

    trained(replace(TINY, judging=Judging(times=4, episodes=1)), policy(), report=report)
    assert steps == [25, 50, 75, 100]


def test_a_policy_is_judged_as_it_was_before_the_first_deployment() -> None:
    curve: list[float] = []

    def report(_step: int, /, **metrics: float) -> None:
        curve.append(metrics["final_return"])

    one = replace(TINY, deployments=1, judging=Judging(times=4, episodes=1))
    trained(one, policy(), report=report)
    assert curve[0] == curve[1] == curve[2] != curve[3]


def test_without_iterations_it_is_behaviour_cloning() -> None:
    found = trained(replace(TINY, iterations=0), policy())
    assert found.metrics["imagined_steps"] == 0
    assert not {"imagined_return", "model_error"} & found.metrics.keys()


def test_a_child_goes_on_from_its_parent_and_is_not_cloned_again_offline() -> None:
    offline = replace(TINY, data="random", cloning=Cloning(steps=100, lr=3e-2))
    parent = State.of(policy(1))

    def moved(inherited: State | None) -> float:
        model = policy(1)
        made = trained(offline, model, inherited)
        assert made.state is not None
        return max(
            (made.state.tensors[name] - tensor).abs().max().item()
            for name, tensor in parent.tensors.items()
        )

    assert moved(parent) < 0.2 < moved(None)


def test_a_childs_first_deployment_is_its_parents_policy() -> None:
    one = replace(TINY, deployments=1, iterations=0, cloning=Cloning(steps=150, lr=3e-2))
    pushing = policy()
    with torch.no_grad():
        final = list(pushing.parameters())[-1]
        final.copy_(torch.tensor([5.0, -3.0]))
    child, blank = policy(3), policy(3)
    child.load_state_dict(pushing.state_dict())
    trained(one, child, State.of(pushing))
    trained(one, blank)
    seen = torch.tensor([[0.8, 0.6, 0.1]])
    assert child(seen)[0, 0] > 0.8, "it clones what it did itself: to push"
    assert blank(seen)[0, 0] < 0.5, "of random actions the mean is nothing"


def test_a_stopped_training_has_the_metrics_so_far() -> None:
    def stop(_step: int, /, **_metrics: float) -> None:
        raise Stopped

    found = trained(TINY, policy(), report=stop)
    assert found.stopped
    assert found.samples == 50


LEARNING = replace(
    TINY,
    data="scripted",
    noise=1.5,
    steps=2000,
    iterations=8,
    judging=Judging(times=1, episodes=8),
    cloning=Cloning(steps=400, lr=3e-3),
    dynamics=Learning(
        shape=Shape(members=3, width=64),
        fitting=Fitting(epochs=25, batch_size=128),
        lr=3e-3,
    ),
    imagining=Imagining(steps=3000),
)


@pytest.mark.slow
def test_imagination_makes_of_a_poor_behaviour_a_good_policy() -> None:
    prepared = LEARNING.prepare(0)
    found = trained(LEARNING, policy(), prepared=prepared).metrics["final_return"]
    cloned = replace(LEARNING, iterations=0)
    without = trained(cloned, policy(), prepared=prepared).metrics["final_return"]
    assert without < -600
    assert found > -400


def file(folder: Path, **changed: Any) -> Path:
    rng = np.random.default_rng(0)  # noqa: TID251 - arrays as a user has them
    arrays: dict[str, Any] = {
        "observations": rng.normal(size=(80, 3)),
        "actions": np.full((80, 1), -1.0),
        "next_observations": rng.normal(size=(80, 3)),
    }
    path = folder / "steps.npz"
    np.savez(path, **{**arrays, **changed})
    return path


def test_a_data_set_is_read_from_a_file(tmp_path: Path) -> None:
    trainer = replace(TINY, data=str(file(tmp_path)), steps=60)
    found = Experience.from_tensors(trainer.prepare(0))
    assert len(found) == 60
    assert found.actions.eq(-0.5).all(), "half of the torque the other way"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"actions": np.zeros((80, 2))}, "2 numbers|1 to act by"),
        ({"actions": np.full((80, 1), np.nan)}, "should be finite numbers"),
        ({"observations": np.array(["a"] * 80)}, "should be finite numbers"),
        ({"next_observations": np.zeros((79, 3))}, "3 numbers to observe"),
    ],
)
def test_a_file_of_something_else_is_refused(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    trainer = replace(TINY, data=str(file(tmp_path, **changed)))
    with pytest.raises(ConfigError, match=said):
        trainer.prepare(0)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read 'observations' from .*none\.npz"):
        replace(TINY, data=str(tmp_path / "none.npz")).prepare(0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"environment": "Pendulum-v9"}, "unknown environment 'Pendulum-v9'"),
        ({"environment": "CartPole-v1"}, "no vectors of numbers"),
        ({"environment": "Ant-v5"}, "rewards and ends of 'Ant-v5' are not known"),
        ({"environment": "Ant-v5", "data": "scripted", "known": "builtins:nothing"}, "import"),
        ({"environment": "HalfCheetah-v5"}, "known with options"),
    ],
)
def test_an_environment_that_cannot_be_served_is_refused(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(TINY, **settings).prepare(0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data": "scriptd"}, "did you mean 'scripted'"),
        ({"deployments": 0}, "deployments is 0"),
        ({"iterations": -1}, "iterations is -1"),
        ({"steps": 1}, "evaluations"),
    ],
)
def test_settings_that_train_nothing_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(TINY, **settings)


@pytest.mark.slow
def test_the_committed_run_evolves_policies(root: Path, tmp_path: Path) -> None:
    table = tomllib.loads((root / "runs/bremen.toml").read_text(encoding="utf-8"))
    table |= {"births": 3, "executor": "serial", "tracker": "none"}
    short = {
        "steps": 200,
        "options": {"max_episode_steps": 50},
        "iterations": 1,
        "cloning": {"steps": 10},
        "dynamics": {"shape": {"members": 2, "width": 8}, "fitting": {"epochs": 2}},
        "imagining": {"steps": 300},
    }
    found = api.search({**table, "trainer": {**table["trainer"], **short}}, out=tmp_path / "run")
    assert all(isinstance(one.outcome, Evaluation) for one in found.history)
    genes = {name for one in found.history for name in one.birth.genome.settings}
    assert {"dynamics.shape.members", "imagining.horizon"} <= genes
