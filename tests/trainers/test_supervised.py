"""The supervised loop on small data made here, and on the digits that scikit-learn ships."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas import seeds
from evonas.errors import ConfigError
from evonas.networks import Signature
from evonas.state import State
from evonas.trainer import Context, Report, Stopped
from evonas_trainers.augment import Augment
from evonas_trainers.optimizer import OptimizerSettings, inherit, schedule
from evonas_trainers.reference_network import reference_network
from evonas_trainers.supervised import Supervised

CPU = torch.device("cpu")


def ignore(_step: int, /, **_metrics: float) -> None:
    """Take a report and do nothing."""


def context(
    prepared: Mapping[str, Tensor],
    inherited: State | None = None,
    report: Report = ignore,
    seed: int = 0,
    precision: torch.dtype = torch.float32,
) -> Context:
    return Context(CPU, precision, seed, prepared, inherited, report)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(12 * 16, 4),
        )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of noisy 8x8 pictures in which the brightest quarter is the class."""
    rng = seeds.stream(0, "pictures")
    y = np.arange(200) % 4
    x = rng.normal(0, 1, (200, 8, 8))
    for sample, label in zip(x, y, strict=True):
        row, column = 4 * (label // 2), 4 * (label % 2)
        sample[row : row + 4, column : column + 4] += 1
    path: Path = tmp_path_factory.mktemp("data") / "pictures.npz"
    np.savez(path, x=x, y=y)
    return str(path)


def test_seven_hundred_digits_are_learned_to_five_percent_in_two_epochs() -> None:
    trainer = Supervised(data="digits", epochs=2, batch_size=32, train_samples=700)
    prepared = trainer.prepare(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = reference_network(trainer.signatures(prepared)["net"])
    trained = trainer.train(model, context(prepared))
    assert trained.metrics["error"] < 0.05
    assert trainer.test(model, context(prepared))["error"] < 0.05
    assert trained.samples == 1400


def test_the_signature_is_read_from_the_data(pictures: str) -> None:
    trainer = Supervised(data=pictures)
    assert trainer.signatures(trainer.prepare(0)) == {"net": Signature((1, 8, 8), (4,))}


def test_metrics_are_those_declared_and_agree(pictures: str) -> None:
    trainer = Supervised(data=pictures)
    metrics = trainer.train(network(), context(trainer.prepare(0))).metrics
    assert metrics.keys() == trainer.metrics.keys()
    assert metrics["error"] == pytest.approx(1 - metrics["accuracy"])


def test_equal_seeds_give_equal_states_and_others_do_not(pictures: str) -> None:
    trainer = Supervised(data=pictures, augment=Augment(pad=1, flip=True, cutout=2, mixup=0.4))
    prepared = trainer.prepare(0)
    states = []
    for seed in (1, 1, 2):
        trained = trainer.train(network(), context(prepared, seed=seed))
        assert trained.state is not None
        states.append(trained.state.to_bytes())
    assert states[0] == states[1] != states[2]


def test_dropout_follows_the_seed_and_leaves_the_global_generator_alone(pictures: str) -> None:
    trainer = Supervised(data=pictures, epochs=1)
    prepared = trainer.prepare(0)
    states: list[bytes] = []
    for noise in (5, 6):
        model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, 4))
        nn.init.zeros_(model.get_parameter("2.weight"))
        nn.init.zeros_(model.get_parameter("2.bias"))
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        trained = trainer.train(model, context(prepared))
        assert torch.equal(torch.get_rng_state(), before)
        assert trained.state is not None
        states.append(trained.state.to_bytes())
    assert states[0] == states[1]


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_two_trainings_in_a_row_equal_one_long_one(pictures: str, name: Any) -> None:
    """With the whole data in one batch, order is nothing and only weights and momentum go on."""
    settings = OptimizerSettings(name=name, lr=0.01)
    trainer = Supervised(data=pictures, batch_size=1000, optimizer=settings, epochs=6)
    prepared = trainer.prepare(0)
    long = network()
    trainer.train(long, context(prepared))
    half = replace(trainer, epochs=3)
    first = half.train(network(), context(prepared))
    assert first.state is not None
    second = network()
    second.load_state_dict(dict(first.state.tensors))
    half.train(second, context(prepared, inherited=first.state))
    for one, other in zip(long.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_reset_optimizer_goes_another_way(pictures: str) -> None:
    trainer = Supervised(data=pictures, batch_size=1000, epochs=2)
    prepared = trainer.prepare(0)
    first = trainer.train(network(), context(prepared))
    assert first.state is not None
    found = []
    for way in ("map", "reset"):
        model = network()
        model.load_state_dict(dict(first.state.tensors))
        child = replace(trainer, inherit_optimizer=way)
        child.train(model, context(prepared, inherited=first.state))
        found.append(next(model.parameters()))
    assert (found[0] - found[1]).abs().max() > 1e-4


def test_a_new_layer_without_momentum_trains_beside_inherited_ones() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = OptimizerSettings().build([model], CPU)
    inherit(State({}, {"momentum_buffer": {"0.weight": torch.ones(2, 2)}}), model, optimizer)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert all(
        not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)
    )


@pytest.mark.parametrize(("parent", "child"), [("sgd", "adamw"), ("adamw", "sgd")])
def test_a_child_may_change_the_optimizer(pictures: str, parent: Any, child: Any) -> None:
    trainer = Supervised(data=pictures, epochs=1, optimizer=OptimizerSettings(name=parent))
    prepared = trainer.prepare(0)
    model = network()
    trained = trainer.train(model, context(prepared))
    other = replace(trainer, optimizer=OptimizerSettings(name=child))
    state = other.train(model, context(prepared, inherited=trained.state)).state
    assert state is not None
    assert ("momentum_buffer" in state.slots) == (child == "sgd")


def test_biases_norms_and_scales_do_not_decay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    model.register_parameter("gate_scale", nn.Parameter(torch.ones(1, 2, 1, 1)))
    decayed, plain = OptimizerSettings().build([model], CPU).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(2, 1, 3, 3)]
    assert decayed["weight_decay"] > 0 == plain["weight_decay"]
    assert len(plain["params"]) == 4


def test_training_that_is_stopped_says_so_and_keeps_what_it_has(pictures: str) -> None:
    def stop(step: int, /, **_metrics: float) -> None:
        if step == 2:
            raise Stopped

    trainer = Supervised(data=pictures, epochs=5)
    prepared = trainer.prepare(0)
    trained = trainer.train(network(), context(prepared, report=stop))
    assert trained.stopped
    assert trained.samples == 2 * len(prepared["train_y"])
    assert trained.state is not None


def test_reports_come_once_an_epoch_with_every_metric(pictures: str) -> None:
    seen: list[tuple[int, set[str]]] = []

    def note(step: int, /, **metrics: float) -> None:
        seen.append((step, set(metrics)))

    trainer = Supervised(data=pictures, epochs=3)
    trainer.train(network(), context(trainer.prepare(0), report=note))
    assert [step for step, _ in seen] == [1, 2, 3]
    assert all(names >= set(trainer.metrics) for _, names in seen)


def test_a_diverging_candidate_raises(pictures: str) -> None:
    trainer = Supervised(data=pictures, epochs=2, optimizer=OptimizerSettings(lr=1e12))
    with pytest.raises(FloatingPointError, match="loss"):
        trainer.train(network(), context(trainer.prepare(0)))


def test_clipping_bounds_the_step(pictures: str) -> None:
    settings = OptimizerSettings(lr=1, momentum=0, weight_decay=0)
    trainer = Supervised(
        data=pictures, epochs=1, batch_size=1000, max_norm=0.01, optimizer=settings
    )
    model = network()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    trainer.train(model, context(trainer.prepare(0)))
    moved = [new - old for old, new in zip(before, model.parameters(), strict=True)]
    assert torch.cat([step.flatten() for step in moved]).norm().item() == pytest.approx(
        0.01, rel=1e-3
    )


def test_statistics_are_measured_anew_before_judging(pictures: str) -> None:
    trainer = Supervised(data=pictures, epochs=1, optimizer=OptimizerSettings(lr=1e-9))
    prepared = trainer.prepare(0)
    model = network()
    trainer.train(model, context(prepared))
    inputs = (prepared["train_x"] - prepared["mean"]) / prepared["std"]
    with torch.no_grad():
        expected = model[0](inputs).mean((0, 2, 3))  # pyright: ignore[reportIndexIssue]
    found = model.get_buffer("1.running_mean")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_bfloat16_learns_as_well(pictures: str) -> None:
    trainer = Supervised(data=pictures, epochs=10)
    prepared = trainer.prepare(0)
    trained = trainer.train(network(), context(prepared, precision=torch.bfloat16))
    assert trained.metrics["error"] < 0.1


def test_vectors_are_trained_like_pictures(tmp_path: Path) -> None:
    rng = seeds.stream(0)
    y = np.arange(100) % 2
    np.savez(tmp_path / "table.npz", x=rng.normal(y[:, None], 0.3, (100, 5)), y=y)
    trainer = Supervised(data=str(tmp_path / "table.npz"), epochs=5)
    model = nn.Linear(5, 2)
    assert trainer.train(model, context(trainer.prepare(0))).metrics["error"] < 0.2


def test_crops_of_vectors_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "table.npz", x=np.zeros((20, 5)), y=np.arange(20) % 2)
    trainer = Supervised(data=str(tmp_path / "table.npz"), augment=Augment(flip=True))
    with pytest.raises(ConfigError, match="for pictures"):
        trainer.prepare(0)


@pytest.mark.parametrize(
    ("name", "start", "middle", "end"),
    [("constant", 1, 1, 1), ("anneal", 1, 0.5, 0), ("cosine", 1, 0.5, 0)],
)
def test_a_schedule_starts_at_the_full_rate(
    name: Any, start: float, middle: float, end: float
) -> None:
    found = [schedule(name, epoch, 10, 1, 2) for epoch in (0, 5, 10)]
    assert found == pytest.approx([start, middle, end])


def test_sgdr_restarts_after_one_three_and_seven_epochs() -> None:
    restarts = [e for e in range(1, 15) if schedule("sgdr", e, 15, 1, 2) == 1]
    assert restarts == [1, 3, 7]
    assert schedule("sgdr", 2.999, 15, 1, 2) < 0.001


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"valid_ratio": 1.0},
        {"label_smoothing": -0.1},
        {"train_samples": 0},
    ],
)
def test_impossible_settings_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        Supervised(data="digits", **fields)
