"""The presets are the points of the family that the papers' tables name."""

from collections.abc import Mapping
from typing import Literal

import pytest

from evonas.errors import ConfigError
from evonas.genome.schedule import Schedule
from evonas.plugins import construct, load, names
from evonas.preset import Preset
from evonas_trainers.pruning.presets import Asfp, Asrfp, Ghfp, Gradual, Hfp, Sfp, Srfp

INSTANTS = (0.0, 0.1, 0.3, 0.5, 0.75, 1.0)
ALL: Mapping[str, Preset] = {
    "asfp": Asfp(),
    "asrfp": Asrfp(),
    "ghfp": Ghfp(),
    "gradual": Gradual(),
    "hfp": Hfp(),
    "sfp": Sfp(),
    "srfp": Srfp(),
}


def curves(schedule: Schedule, progress: float) -> tuple[float, float, float]:
    rate, alpha, beta = schedule.rate, schedule.alpha, schedule.beta
    return rate.at(progress), alpha.at(progress), beta.at(progress)


@pytest.mark.parametrize("name", ALL)
def test_presets_are_found_by_name(name: str) -> None:
    assert load(Preset, name) is type(ALL[name])
    assert ALL[name].schedule().preset == name
    assert name in names(Preset)


@pytest.mark.parametrize("progress", INSTANTS)
def test_hard_and_soft_pruning_differ_in_beta_alone(progress: float) -> None:
    assert curves(Hfp().schedule(), progress) == (1, 0, 0)
    assert curves(Sfp().schedule(), progress) == (1, 0, 1)


@pytest.mark.parametrize(
    ("progress", "rate"),
    [(0.02, 0.20), (0.05, 0.43), (0.10, 0.67), (0.125, 0.75), (0.2, 0.89), (0.3, 0.96), (1, 1)],
)
@pytest.mark.parametrize("preset", [Asfp(), Asrfp()])
def test_the_asymptotic_rate_is_that_of_the_formula(
    preset: Preset, progress: float, rate: float
) -> None:
    assert preset.schedule().rate.at(progress) == pytest.approx(rate, abs=5e-3)


@pytest.mark.parametrize("preset", [Srfp(), Asrfp()])
def test_softer_pruning_decays_in_a_line(preset: Preset) -> None:
    alpha = preset.schedule().alpha
    assert [alpha.at(t) for t in (0, 0.3, 0.6, 1)] == pytest.approx([1, 0.5, 0, 0])


@pytest.mark.parametrize("base", ["sfp", "asfp", "srfp", "asrfp"])
@pytest.mark.parametrize("progress", INSTANTS)
def test_gradually_hard_pruning_is_its_base_with_a_falling_beta(
    base: Literal["sfp", "asfp", "srfp", "asrfp"], progress: float
) -> None:
    rate, alpha, _ = curves(ALL[base].schedule(), progress)
    expected = (rate, alpha, max(0.0, 1 - progress / 0.75))
    assert curves(Ghfp(base=base).schedule(), progress) == pytest.approx(expected)


def test_gradual_pruning_is_cubic() -> None:
    rate = Gradual(rate_until=0.5).schedule().rate
    assert [rate.at(t) for t in (0, 0.25, 0.5, 1)] == [0, 0.875, 1, 1]


@pytest.mark.parametrize("name", ALL)
def test_what_a_user_sets_is_in_the_schedule(name: str) -> None:
    table = {"name": name, "interval": 72, "criterion": "l1", "residual": "coupled", "begin": 0.1}
    schedule = construct(Preset, table, "preset").schedule()
    found = (schedule.interval, schedule.criterion, schedule.residual, schedule.begin)
    assert found == (72, "l1", "coupled", 0.1)


@pytest.mark.parametrize("name", ["sfp", "asfp", "srfp", "asrfp", "ghfp"])
def test_soft_presets_can_be_had_as_published(name: str) -> None:
    table = {"name": name, "regrowth_cap": 0.0, "momentum_reset": False}
    schedule = construct(Preset, table, "preset").schedule()
    assert (schedule.regrowth_cap, schedule.momentum_reset) == (0, False)


def test_an_alpha_that_does_not_settle_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"alpha is .* it must reach 0"):
        Srfp(alpha_until=0.9).schedule()
