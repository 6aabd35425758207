import pytest
import torch
from torch import nn

from evonas.errors import ConfigError
from evonas.models import fresh_model
from evonas.morph.modules import lipswish
from evonas.networks import Signature
from evonas_spaces.sde import Sde

TABLE = {
    "drift": Signature((5,), (4,)),
    "critic_field": Signature((5,), (4,)),
    "initial": Signature((5,), (4,)),
    "readout": Signature((5,), (4,)),
    "other": Signature((5,), (4,)),
}


def network(name: str, space: Sde | None = None) -> nn.Module:
    space = space or Sde()
    return fresh_model(space, space.seed(TABLE), 0).get_submodule(name)


@pytest.mark.parametrize("name", TABLE)
def test_vector_fields_alone_are_bounded(name: str) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        largest = float(network(name)(1e4 * torch.randn(50, 5)).abs().max())
    assert (largest <= 1) == (name in {"drift", "critic_field"})


def test_readouts_are_linear() -> None:
    readout = network("readout")
    one, other = torch.randn(2, 3, 5)
    torch.testing.assert_close(
        readout(one + other), readout(one) + readout(other) - readout(torch.zeros(3, 5))
    )


@pytest.mark.parametrize(
    ("name", "scale"), [("drift", 0.5), ("initial", 3.0), ("critic_field", 1.0), ("other", 1.0)]
)
def test_first_weights_are_scaled_by_what_the_network_is_for(name: str, scale: float) -> None:
    plain = network(name, Sde(field_scale=1.0, start_scale=1.0))
    for one, other in zip(network(name).parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, scale * other)


def test_a_network_of_lipswish_does_not_stretch_more_than_its_weights() -> None:
    x = torch.linspace(-20, 20, 100_001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(lipswish(x).sum(), x)
    assert 0.999 < float(slope.max()) <= 1
    assert float(slope.min()) > -0.1


@pytest.mark.parametrize("fields", [{"field_scale": 0.0}, {"start_scale": -1.0}])
def test_scales_are_above_zero(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="should be above 0"):
        Sde(**fields)  # pyright: ignore[reportArgumentType] - wrong on purpose


def test_an_unknown_activation_is_refused_when_the_space_is_made() -> None:
    with pytest.raises(ConfigError, match="did you mean 'lipswish'"):
        Sde(activation="lipswich")
