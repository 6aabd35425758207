"""The presets with rules of their own say what their papers say, and train a network."""

import pytest
import torch
from sparse_training import Training, filter_plan, network, weight_plan

from evonas.plugins import from_table, load_class
from evonas.preset import Preset
from evonas.testing.presets import preset_checks
from evonas_trainers.pruning.dual_path import DualPath
from evonas_trainers.pruning.regrow import Regrow
from evonas_trainers.pruning.sparse_presets import Dcil, Dpf, Rigl, Set
from evonas_trainers.pruning.straight_through import StraightThrough
from evonas_trainers.slots import Pruning

RULES: dict[str, type[Pruning]] = {
    "straight-through": StraightThrough,
    "dual-path": DualPath,
    "regrow": Regrow,
}
PRESETS = [Dpf(), Dpf(granularity="filter"), Dcil(), Dcil(granularity="filter"), Set(), Rigl()]


def rule_of(preset: Preset) -> Pruning:
    fields = dict(preset.schedule().rule)
    return from_table(RULES[fields.pop("name")], fields, "rule")


@pytest.mark.parametrize("preset", PRESETS, ids=repr)
def test_a_preset_keeps_its_contract(preset: Preset) -> None:
    for check in preset_checks(preset):
        check.verify()


@pytest.mark.parametrize("preset", [Dpf(), Dcil()], ids=repr)
def test_masks_follow_the_cubic_rate_every_sixteen_steps(preset: Preset) -> None:
    schedule = preset.schedule()
    assert schedule.interval == 16
    for progress in (0.0, 0.1, 0.375, 0.75, 1.0):
        expected = 1 - (1 - min(1, progress / 0.75)) ** 3
        assert schedule.rate.at(progress) == pytest.approx(expected)


def test_dcil_softens_by_two_from_a_quarter_on() -> None:
    assert rule_of(Dcil()) == DualPath(temperature=2.0, kl_from=0.25, kl_weight=1.0)


def test_set_grows_at_random_and_rigl_by_gradient() -> None:
    assert rule_of(Set()) == Regrow(growth="random", fraction=0.3, fraction_curve="constant")
    assert rule_of(Rigl()) == Regrow(growth="gradient", fraction=0.3, fraction_curve="cosine")
    assert Rigl().schedule().interval == Set().schedule().interval == 100


@pytest.mark.parametrize("preset", [Dpf(interval=2), Dcil(interval=2), Set(interval=2), Rigl()])
def test_single_weights_end_at_what_is_kept(preset: Preset) -> None:
    model = network()
    training = Training.begin(rule_of(preset), weight_plan(model, preset.schedule()), model)
    training.run()
    kept = sum(int((model.get_parameter(name) != 0).sum()) for name in ("0.weight", "3.weight"))
    assert kept == 80


@pytest.mark.parametrize("preset", [Dpf(granularity="filter"), Dcil(granularity="filter")])
def test_filters_end_at_what_is_kept(preset: Preset) -> None:
    model = network()
    training = Training.begin(rule_of(preset), filter_plan(model, preset.schedule(), 2, 3), model)
    training.run()
    assert int((model.get_parameter("1.weight") != 0).sum()) == 2
    assert int((model.get_parameter("4.weight") != 0).sum()) == 3
    assert bool(torch.isfinite(model.get_parameter("0.weight")).all())


@pytest.mark.parametrize("name", ["dcil", "dpf", "rigl", "set"])
def test_a_preset_is_installed_under_its_name(name: str) -> None:
    cls = {"dcil": Dcil, "dpf": Dpf, "rigl": Rigl, "set": Set}[name]
    assert load_class(f"{cls.__module__}:{cls.__qualname__}") is cls
    assert cls().schedule().preset == name
