"""Costs against counts by hand."""

import pytest
import torch
from torch import Tensor, nn

from evonas import measure
from evonas.latency import latency
from evonas.networks import Signature

CPU = torch.device("cpu")
PICTURE = {"net": Signature((3, 16, 16), (10,))}
POINT = {"net": Signature((5,), (2,))}


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


PARAMETERS = (3 * 8 * 9 + 8) + 16 + 8 * 9 + (80 + 10)
MACS = 3 * 8 * 9 * 64 + 8 * 9 * 64 + 80


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_parameters_and_macs_equal_a_count_by_hand(device: str) -> None:
    found = measure.static(network().to(device), PICTURE)
    assert found == {"parameters": PARAMETERS, "macs": MACS}


def test_shared_weights_count_once_as_parameters_and_twice_as_work() -> None:
    layer = nn.Linear(5, 5, bias=False)
    found = measure.static(nn.Sequential(layer, layer), {"net": Signature((5,), (5,))})
    assert found == {"parameters": 25, "macs": 50}


def pair() -> tuple[nn.Module, dict[str, Signature]]:
    model = nn.ModuleDict({"actor": nn.Linear(5, 2), "critic": nn.Linear(5, 7)})
    return model, {"actor": Signature((5,), (2,)), "critic": Signature((5,), (7,))}


def test_several_networks_cost_their_sum() -> None:
    assert measure.static(*pair()) == {"parameters": 12 + 42, "macs": 10 + 35}


def test_memory_is_weights_and_the_most_that_is_alive_at_once() -> None:
    """The input, and 64 + 32 features where the second layer reads the first one's output."""
    model = nn.Sequential(nn.Linear(5, 64), nn.Linear(64, 32), nn.Linear(32, 2))
    weights = 4 * (5 * 64 + 64 + 64 * 32 + 32 + 32 * 2 + 2)
    assert measure.peak_memory(model, POINT, CPU) == weights + 4 * (5 + 64 + 32)


class _Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 5, bias=False), nn.Linear(5, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        skipped = self.first(x)
        deep = skipped.relu().relu().relu()
        return self.last(skipped + deep)


def test_what_a_skip_holds_counts_as_alive() -> None:
    model = _Skip()
    assert measure.peak_memory(model, POINT, CPU) == 4 * (25 + 10) + 4 * (5 + 3 * 5 + 2)


def test_buffers_are_memory() -> None:
    model = nn.Linear(5, 2)
    plain = measure.peak_memory(model, POINT, CPU)
    model.register_buffer("table", torch.zeros(100))
    assert measure.peak_memory(model, POINT, CPU) == plain + 400


def test_modes_and_statistics_are_as_before() -> None:
    model = network().train()
    model.get_submodule("1").eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measure.static(model, PICTURE)
    measure.peak_memory(model, PICTURE, CPU)
    latency(model, PICTURE, CPU, 1.0, seconds=0.001)
    assert [module.training for module in model.children()] == [True, False, *[True] * 5]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
