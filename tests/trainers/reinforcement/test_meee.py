"""MEEE: what it claims of disagreement, what is left without its halves, and what is inherited."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from evonas.errors import ConfigError
from evonas.models import fresh_model
from evonas.state import TARGET, TRAINER, State
from evonas.trainer import Context, Trained
from evonas_spaces.mlp import Mlp
from evonas_trainers.reinforcement.dynamics import ensemble_state
from evonas_trainers.reinforcement.dynamics.branching import Branching, columns_in, columns_out
from evonas_trainers.reinforcement.dynamics.fitting import Fitting
from evonas_trainers.reinforcement.dynamics.gaussian import (
    EnsembleSettings,
    ProbabilisticEnsemble,
    disagreement,
)
from evonas_trainers.reinforcement.dynamics.network import Shape
from evonas_trainers.reinforcement.dynamics.ranks import rank_correlation
from evonas_trainers.reinforcement.environments import Environments
from evonas_trainers.reinforcement.meee import Meee
from evonas_trainers.reinforcement.replay import Batch, Replay
from evonas_trainers.reinforcement.scores import Judging
from evonas_trainers.reinforcement.uncertainty import Optimism, trust

CPU = torch.device("cpu")
SMALL = Meee(
    environment="Pendulum-v1",
    options={"max_episode_steps": 20},
    steps=50,
    trials=1,
    judging=Judging(times=2, episodes=1),
    start_steps=30,
    updates=1,
    batch_size=32,
    ensemble=EnsembleSettings(
        shape=Shape(members=2, width=8, depth=1, activation="silu"),
        elites=1,
        fitting=Fitting(epochs=3, patience=2, batch_size=16, valid_ratio=0.2),
    ),
    branching=Branching(interval=10, rollouts=40),
    optimism=Optimism(interval=2, candidates=4),
)


def model_of(trainer: Meee, seed: int = 0) -> nn.Module:
    space = Mlp(hidden=8, layers=1)
    return fresh_model(space, space.seed(trainer.signatures(trainer.prepare(0))), seed)


def trained(trainer: Meee, seed: int = 0, inherited: State | None = None) -> Trained:
    model = model_of(trainer)
    if inherited is not None:
        model.load_state_dict(dict(inherited.own.tensors))
    context = Context(
        CPU, torch.float32, seed, trainer.prepare(0), inherited, lambda *_, **__: None
    )
    return trainer.train(model, context)


def same(one: Trained, other: Trained) -> bool:
    assert one.state is not None
    assert other.state is not None
    tensors = other.state.own.tensors
    return all(torch.equal(value, tensors[name]) for name, value in one.state.own.tensors.items())


@pytest.fixture(scope="module")
def once() -> Trained:
    """What comes of `SMALL`."""
    return trained(SMALL)


def random_steps(number: int, seed: int) -> Batch:
    draws = torch.Generator().manual_seed(seed)
    with Environments("Pendulum-v1", 1, seed) as running:
        replay = Replay(number, running.facts, CPU)
        for _ in range(number):
            seen, action = running.current, 2 * torch.rand(1, 1, generator=draws) - 1
            found = running.step(running.facts.scaled(action))
            replay.add(seen, action, found.rewards, found.observations, found.terminated)
    return replay.everything()


@pytest.mark.slow
def test_disagreement_ranks_errors_and_trust_lowers_them() -> None:
    draws = torch.Generator().manual_seed(0)
    ensemble = ProbabilisticEnsemble(4, 4, EnsembleSettings(), draws, CPU)
    seen, unseen = random_steps(400, 0), random_steps(1000, 1)
    ensemble.fit(columns_in(seen.observations, seen.actions), columns_out(seen), draws)
    inputs = columns_in(unseen.observations, unseen.actions)
    with torch.no_grad():
        errors = ensemble.errors(inputs, columns_out(unseen)).sqrt()
        apart = disagreement(ensemble(inputs)[0])
    weights = trust(apart, 20.0)
    assert rank_correlation(apart, errors) > 0.6
    assert (weights * errors).sum() / weights.sum() < 0.85 * errors.mean()


def test_the_same_seed_trains_the_same(once: Trained) -> None:
    assert same(once, trained(SMALL))
    assert not same(once, trained(SMALL, seed=1))


def test_without_doubt_weights_change_nothing(once: Trained) -> None:
    mbpo = replace(SMALL, is_weighted=False)
    assert same(trained(replace(SMALL, doubt=0.0)), trained(mbpo))
    assert not same(once, trained(mbpo))


def test_exploring_by_the_policys_own_action_is_not_exploring(once: Trained) -> None:
    alone = replace(SMALL, optimism=Optimism(interval=2, candidates=1))
    assert same(trained(alone), trained(replace(SMALL, explores=False)))
    assert not same(once, trained(alone))


def test_with_real_steps_alone_nothing_is_imagined() -> None:
    real = replace(SMALL, real_ratio=1.0)
    found = trained(real)
    assert found.state is not None
    assert "imagined_steps" not in found.metrics
    assert not ensemble_state.of(found.state).tensors
    assert same(found, trained(replace(real, is_weighted=False, explores=False)))


def test_what_is_imagined_is_counted_and_judged(once: Trained) -> None:
    metrics = once.metrics
    assert metrics["imagined_steps"] == 3 * 40, "at steps 30, 40 and 50"
    assert metrics["model_error"] > 0
    assert -1 <= metrics["disagreement_rank"] <= 1


def test_an_ensemble_costs_what_it_computes(once: Trained) -> None:
    wide = replace(SMALL, ensemble=replace(SMALL.ensemble, shape=Shape(members=2, width=80)))
    found = trained(wide)
    assert found.extra_macs > 2 * once.extra_macs
    assert found.samples == once.samples == SMALL.steps, "what is imagined is no sample"


def test_policy_targets_temperature_and_ensemble_are_handed_on(once: Trained) -> None:
    state = once.state
    assert state is not None
    assert state.part(TARGET).tensors.keys() == state.own.tensors.keys()
    assert "log_temperature" in state.part(TRAINER).tensors
    assert ensemble_state.of(state).tensors["network.weights.0"].shape == (2, 4, 8)
    assert state.to_bytes(), "no tensor is there twice"
    assert ensemble_state.of(state).slots["exp_avg"].keys() >= {"network.weights.0", "lowest"}


def test_a_child_goes_on_with_the_ensemble_of_its_parent(once: Trained) -> None:
    parent = once.state
    assert parent is not None
    none = replace(SMALL, ensemble=replace(SMALL.ensemble, lr=1e-30))
    child = trained(none, seed=1, inherited=parent).state
    assert child is not None
    kept, mine = ensemble_state.of(parent).tensors, ensemble_state.of(child).tensors
    assert torch.allclose(kept["network.weights.0"], mine["network.weights.0"])


def test_an_ensemble_of_another_shape_is_trained_anew(once: Trained) -> None:
    parent = once.state
    assert parent is not None
    shape = replace(SMALL.ensemble.shape, members=3)
    other = replace(SMALL, ensemble=replace(SMALL.ensemble, shape=shape))
    child = trained(other, seed=1, inherited=parent).state
    assert child is not None
    assert ensemble_state.of(child).tensors["network.weights.0"].shape[0] == 3


def test_the_ensembles_state_comes_out_as_it_went_in() -> None:
    state = State({"a": torch.ones(1)}).plus(TRAINER, State({"b": torch.zeros(1)}))
    ensemble = State({"w": torch.ones(2)}, {"exp_avg": {"w": torch.zeros(2)}})
    both = ensemble_state.added(state, ensemble)
    assert ensemble_state.of(both).to_bytes() == ensemble.to_bytes()
    assert ensemble_state.without(both).to_bytes() == state.to_bytes()
    assert ensemble_state.added(both, ensemble).to_bytes() == both.to_bytes()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"real_ratio": 1.5}, "real_ratio of 0 to 1"),
        ({"start_steps": 50}, "fewer than the 50 steps"),
        ({"start_steps": 2}, "4 or more"),
        ({"updates": 0}, "updates is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(SMALL, **wrong)


def test_an_environment_whose_end_nobody_knows_is_refused_unless_it_has_none() -> None:
    swimmer = replace(
        SMALL, environment="Swimmer-v5", judging=replace(SMALL.judging, low=0, high=1)
    )
    with pytest.raises(ConfigError, match="are known with options"):
        swimmer.prepare(0)
    assert replace(swimmer, known="never").prepare(0)
    assert replace(swimmer, real_ratio=1.0).prepare(0), "which imagines nothing"
