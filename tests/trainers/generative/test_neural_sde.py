"""Neural SDEs learn, grow with what they have learned, and say what is wrong."""

import io
import re
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
from evonas.trainer import Context, Illustrated
from evonas_spaces.sde import Sde
from evonas_trainers.generative.neural_sde import NeuralSde
from evonas_trainers.generative.sde.gan import Adversaries
from evonas_trainers.generative.sde.series import Cut

SMALL: Mapping[str, Any] = {"cut": {"observations": 8, "paths": 1024}, "hidden": 8, "noise": 2}


def trainer(**fields: Any) -> NeuralSde:
    return from_table(NeuralSde, {**SMALL, **fields}, "trainer")


def context(prepared: Mapping[str, Tensor], inherited: State | None = None) -> Context:
    return Context(
        torch.device("cpu"), torch.float32, 0, prepared, inherited, lambda *_, **__: None
    )


def candidate(of: NeuralSde, prepared: Mapping[str, Tensor]) -> nn.Module:
    return fresh_model(Sde(), Sde().seed(of.signatures(prepared)), 0)


def test_adversaries_come_closer_to_the_data() -> None:
    learns = trainer(steps=60, batch_size=128, reports=1)
    prepared = learns.prepare(0)
    model = candidate(learns, prepared)
    before = learns.test(model, context(prepared))
    trained = learns.train(model, context(prepared))
    after = learns.test(model, context(prepared))
    assert after["distance"] < before["distance"] / 2
    assert after["energy"] < before["energy"] / 2
    assert trained.metrics["fitness"] == -trained.metrics["distance"]


def test_a_latent_sde_learns_what_is_likely() -> None:
    learns = trainer(steps=60, batch_size=128, reports=1, model="latent")
    prepared = learns.prepare(0)
    model = candidate(learns, prepared)
    before = learns.test(model, context(prepared))
    trained = learns.train(model, context(prepared))
    after = learns.test(model, context(prepared))
    assert after["loss"] < before["loss"] / 2
    assert trained.metrics["fitness"] == -trained.metrics["loss"]


def test_evaluations_have_their_price() -> None:
    cheap = trainer(steps=1, reports=1, batch_size=8, evaluation_price=0.0)
    prepared = cheap.prepare(0)
    model = candidate(cheap, prepared)
    dear = trainer(steps=1, reports=1, batch_size=8, evaluation_price=2.0, step_exponent=2)
    free = cheap.test(model, context(prepared))
    paid = dear.test(model, context(prepared))
    assert (free["evaluations"], paid["evaluations"]) == (8.0, 29.0)
    assert paid["fitness"] == pytest.approx(-paid["distance"] - 0.02 * 29)


@pytest.mark.parametrize("operator", ["widen", "widen-copies", "insert-layer", "insert-shortcut"])
def test_grown_fields_generate_the_same_series(operator: str) -> None:
    learns, space = trainer(steps=2, batch_size=16, reports=1), Sde()
    prepared = learns.prepare(0)
    genome = space.seed(learns.signatures(prepared))
    model = fresh_model(space, genome, 0)
    state = State.of(model)
    for step in range(8):
        edit = space.mutations()[operator].propose(genome, stream(step))
        assert edit is not None
        child = space.mutations()[operator].apply(genome, edit)
        state = space.inherit(child, [(genome, state)], stream(step))
        genome = child
    grown = space.build(genome)
    grown.load_state_dict(dict(state.tensors))
    found = [learns.test(one, context(prepared))["energy"] for one in (model, grown)]
    assert found[1] == pytest.approx(found[0], rel=1e-3)


def test_a_child_goes_on_with_both_optimizers() -> None:
    learns = trainer(steps=2, batch_size=16, reports=1)
    prepared = learns.prepare(0)
    model = candidate(learns, prepared)
    first = learns.train(model, context(prepared))
    assert first.state is not None
    second = learns.train(model, context(prepared, first.state))
    assert second.state is not None
    counts = {float(count) for count in second.state.slots["step"].values()}
    assert counts == {4.0}
    assert set(second.state.slots["step"]) == {name for name, _ in model.named_parameters()}


def test_what_diverges_is_a_floating_point_error() -> None:
    learns = trainer(steps=2, batch_size=16, reports=2)
    prepared = learns.prepare(0)
    model = candidate(learns, prepared)
    with torch.no_grad():
        model.get_parameter("initial.head.weight").fill_(torch.inf)
    with pytest.raises(FloatingPointError, match="is not finite"):
        learns.train(model, context(prepared))


def test_averaged_weights_are_handed_over() -> None:
    learns = trainer(steps=3, batch_size=16, reports=1, averaged_from=0.0)
    prepared = learns.prepare(0)
    means = []
    for steps in (1, 2, 3):
        last = trainer(steps=steps, batch_size=16, reports=1, averaged_from=1.0)
        model = candidate(last, prepared)
        last.train(model, context(prepared))
        means.append(next(model.parameters()).detach())
    model = candidate(learns, prepared)
    learns.train(model, context(prepared))
    torch.testing.assert_close(next(model.parameters()).detach(), torch.stack(means).mean(0))


def test_real_and_generated_series_stand_side_by_side() -> None:
    shows = trainer(data="eeg", cut={"observations": 8, "stride": 4})
    assert isinstance(shows, Illustrated)
    prepared = shows.prepare(0)
    (picture,) = shows.pictures(candidate(shows, prepared), context(prepared)).values()
    with Image.open(io.BytesIO(picture)) as image:
        image.load()
        colours = image.convert("RGB").getcolors()
        assert image.format == "PNG"
        assert image.width > image.height
        assert colours is not None
        assert len(colours) > 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"step_exponent": -1}, "step_exponent is -1, should be 0 to 10"),
        ({"step_exponent": 0.5}, "step_exponent"),
        ({"noise_type": "scalar"}, "scalar noise has the size 1"),
        ({"solver": "euler"}, "reversible_heun"),
        ({"reports": 5, "steps": 4}, "more than the 4 steps"),
        ({"hidden": 0}, "hidden is 0, should be 1 or more"),
        ({"averaged_from": 2.0}, "averaged_from"),
        ({"adversaries": {"lr": 0.0}}, "lr > 0"),
        ({"coding": {"deviation": 0.0}}, "deviation > 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trainer(**fields)


def test_unknown_data_are_refused_before_anything_is_trained() -> None:
    with pytest.raises(ConfigError, match="did you mean 'google'"):
        NeuralSde(data="gogle", cut=Cut(), adversaries=Adversaries()).prepare(0)


@pytest.mark.slow
def test_the_run_file_evolves_neural_sdes(root: Path, tmp_path: Path) -> None:
    table = tomllib.loads((root / "runs/neural_sde.toml").read_text(encoding="utf-8"))
    table |= {"births": 5, "executor": "serial", "tracker": "none"}
    table["trainer"] |= {"steps": 2, "reports": 1, "batch_size": 16}
    table["final"] |= {"members": 1, "steps": 3}
    found = api.search(table, out=tmp_path / "run")
    assert len(found.history) == 6
    assert all(isinstance(one.outcome, Evaluation) for one in found.history)


def test_the_documentation_solves_an_equation(root: Path) -> None:
    text = (root / "docs/generative.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    assert names["rate"].grad > 0
    assert names["growth"].evaluations == 2 * 65
