"""Lifelong autoencoders keep what they were taught, hand it on, and say what is wrong."""

import io
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from evonas import api
from evonas.errors import ConfigError
from evonas.history import Evaluation
from evonas.models import fresh_model
from evonas.plugins import from_table
from evonas.seeds import stream
from evonas.state import State
from evonas.trainer import Context, Illustrated, Stopped
from evonas_spaces.vae import Vae
from evonas_trainers.generative.lifelong_vae import LifelongVae

SMALL: Mapping[str, Any] = {"steps": 2, "judged": 10, "batch_size": 16}


def trainer(**fields: Any) -> LifelongVae:
    return from_table(LifelongVae, {**SMALL, **fields}, "trainer")


def context(prepared: Mapping[str, Tensor], inherited: State | None = None) -> Context:
    return Context(
        torch.device("cpu"), torch.float32, 0, prepared, inherited, lambda *_, **__: None
    )


def candidate(of: LifelongVae, prepared: Mapping[str, Tensor]) -> nn.Module:
    return fresh_model(Vae(), Vae().seed(of.signatures(prepared)), 0)


@pytest.fixture(scope="module")
def digits() -> Mapping[str, Tensor]:
    return LifelongVae(judged=50).prepare(0)


@pytest.fixture(scope="module")
def halves() -> Mapping[str, Tensor]:
    """Digits in two tasks of five."""
    return LifelongVae(tasks=2, judged=10).prepare(0)


@pytest.mark.slow
def test_fine_tuning_forgets_the_first_task_and_reconstruction_keeps_it(
    digits: Mapping[str, Tensor],
) -> None:
    found: dict[str, Mapping[str, float]] = {}
    for method in ("fine-tuning", "reconstruction"):
        fields = {"method": method, "weights": {"divergence": 0.3}}
        learns = trainer(steps=80, batch_size=64, judged=50, **fields)
        model = candidate(learns, digits)
        assert learns.train(model, context(digits)).metrics["first_task"] >= 0
        found[method] = learns.test(model, context(digits))
    assert found["fine-tuning"]["first_task"] < 0.2
    assert found["reconstruction"]["first_task"] > 0.8
    assert found["reconstruction"]["recognised"] > 0.9
    assert found["reconstruction"]["accuracy"] > found["fine-tuning"]["accuracy"] + 0.1
    assert found["reconstruction"]["fitness"] > found["fine-tuning"]["fitness"] + 0.5


def test_classes_that_are_not_taught_yet_count_as_missed(digits: Mapping[str, Tensor]) -> None:
    def stop(step: int, /, **metrics: float) -> None:
        del step, metrics
        raise Stopped

    learns = trainer(steps=60, batch_size=64)
    given = Context(torch.device("cpu"), torch.float32, 0, digits, None, stop)
    trained = learns.train(candidate(learns, digits), given)
    assert trained.stopped
    assert trained.samples == 60 * 64
    assert 0.15 < trained.metrics["accuracy"] <= 0.2
    assert trained.metrics["forgetting"] == 0


def test_what_is_done_twice_is_paid_for(halves: Mapping[str, Tensor]) -> None:
    def extra(**fields: Any) -> float:
        learns = trainer(**fields)
        return learns.train(candidate(learns, halves), context(halves)).extra_macs

    feedback = extra(weights={"knowledge": 0.0})
    knowledge = extra(weights={"feedback": 0.0})
    assert extra(method="fine-tuning") == 0
    assert min(feedback, knowledge) > 0
    assert extra(replay_ratio=0.5) == feedback + knowledge / 2


def test_a_child_begins_with_the_optimizer_of_its_parent() -> None:
    learns = trainer(tasks=1)
    prepared = learns.prepare(0)
    model = candidate(learns, prepared)
    first = learns.train(model, context(prepared))
    assert first.state is not None
    second = learns.train(model, context(prepared, first.state))
    assert second.state is not None
    assert {float(count) for count in second.state.slots["step"].values()} == {4.0}


def test_no_former_model_is_inherited(halves: Mapping[str, Tensor]) -> None:
    learns = trainer()
    model = candidate(learns, halves)
    first = learns.train(model, context(halves))
    assert first.state is not None
    assert set(first.state.tensors) == {name for name, _ in model.named_parameters()}
    assert learns.train(model, context(halves, first.state)).extra_macs == first.extra_macs


@pytest.mark.parametrize("reads", ["vector", "picture"])
@pytest.mark.parametrize("operator", ["widen", "insert-layer", "insert-shortcut"])
def test_grown_networks_generate_the_same_pictures(
    operator: str, reads: str, digits: Mapping[str, Tensor]
) -> None:
    learns, space = trainer(reads=reads), Vae()
    genome = space.seed(learns.signatures(digits))
    model = fresh_model(space, genome, 0)
    state = State.of(model)
    for step in range(4):
        edit = space.mutations()[operator].propose(genome, stream(step))
        assert edit is not None
        child = space.mutations()[operator].apply(genome, edit)
        state = space.inherit(child, [(genome, state)], stream(step))
        genome = child
    grown = space.build(genome)
    grown.load_state_dict(dict(state.tensors))
    found = [learns.test(one, context(digits))["elbo"] for one in (model, grown)]
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_encoders_of_pictures_learn(halves: Mapping[str, Tensor]) -> None:
    learns = trainer(reads="picture", steps=40)
    model = candidate(learns, halves)
    before = learns.test(model, context(halves))["elbo"]
    assert learns.train(model, context(halves)).metrics["elbo"] > before / 2


def test_the_picture_has_a_row_for_every_class(digits: Mapping[str, Tensor]) -> None:
    shows = trainer()
    assert isinstance(shows, Illustrated)
    (picture,) = shows.pictures(candidate(shows, digits), context(digits)).values()
    with Image.open(io.BytesIO(picture)) as image:
        image.load()
        assert image.format == "PNG"
        assert image.size == (2 + 10 * 26, 2 + 10 * 26 + 4 * 8)


def test_what_diverges_is_a_floating_point_error(halves: Mapping[str, Tensor]) -> None:
    learns = trainer()
    model = candidate(learns, halves)
    with torch.no_grad():
        model.get_parameter("encoder.head.weight").fill_(torch.inf)
    with pytest.raises(FloatingPointError, match="the loss is not finite in task 0"):
        learns.train(model, context(halves))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data": []}, "data is empty"),
        ({"latent": 20}, "latent is 20, more than the room of 16"),
        ({"latent": 0}, "latent is 0, should be 1 or more"),
        ({"size": 0}, "size is 0, should be 1 or more"),
        ({"steps": 0}, "steps is 0"),
        ({"method": "finetuning"}, "fine-tuning"),
        ({"reads": "planes"}, "picture"),
        ({"replay_ratio": -1.0}, "replay_ratio is -1.0"),
        ({"valid_ratio": 0.0}, "valid_ratio is 0.0, should be between 0 and 1"),
        ({"lr": 0.0}, "lr is 0.0, should be above 0"),
        ({"weights": {"feedback": -0.5}}, "feedback is -0.5"),
        ({"weights": {"growth": "linear"}}, "constant"),
    ],
)
def test_settings_that_mean_nothing_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trainer(**fields)


@pytest.mark.slow
def test_the_run_file_evolves_lifelong_generators(root: Path, tmp_path: Path) -> None:
    table = tomllib.loads((root / "runs/lifelong_vae.toml").read_text(encoding="utf-8"))
    table |= {"births": 5, "executor": "serial", "tracker": "none"}
    table["trainer"] |= {"steps": 2, "judged": 10, "batch_size": 16}
    table["final"] |= {"members": 1, "steps": 3}
    found = api.search(table, out=tmp_path / "run")
    assert len(found.history) == 6
    assert all(isinstance(one.outcome, Evaluation) for one in found.history)
