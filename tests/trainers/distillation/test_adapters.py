"""Shapes meet, and what is inherited is used where it fits."""

import pytest
import torch

from evonas.errors import ConfigError
from evonas_trainers.distillation.learning.adapters import adapter, adopt, head


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ((3, 8, 8), (5, 4, 4)),
        ((3, 4, 4), (5, 8, 8)),
        ((3, 8, 8), (3, 4, 2)),
        ((3, 8, 8), (5, 8, 8)),
        ((7,), (5,)),
    ],
)
def test_an_end_is_brought_to_the_shape_of_the_other(
    shape: tuple[int, ...], target: tuple[int, ...]
) -> None:
    assert adapter(shape, target, "edge")(torch.zeros(2, *shape)).shape == (2, *target)


def test_a_map_of_as_many_channels_is_only_averaged() -> None:
    maps = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    module = adapter((3, 4, 4), (3, 2, 2), "edge")
    assert not list(module.parameters())
    corner = maps[:, :, :2, :2].mean((2, 3))
    torch.testing.assert_close(module(maps)[:, :, 0, 0], corner)


def test_maps_and_vectors_do_not_meet() -> None:
    with pytest.raises(ConfigError, match="edge 'hint a to b' joins shapes"):
        adapter((3, 4, 4), (3,), "hint a to b")


@pytest.mark.parametrize("shape", [(5,), (5, 4, 4)])
def test_a_head_makes_vectors_of_vectors_and_maps(shape: tuple[int, ...]) -> None:
    assert head(shape, 6)(torch.zeros(2, *shape)).shape == (2, 6)


def test_inherited_tensors_are_used_all_or_none() -> None:
    module, parent, other = head((5,), 6), head((5,), 6), head((4,), 6)
    fresh = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    adopt(module, other.state_dict())
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in module.state_dict().items())
    adopt(module, parent.state_dict())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, parent.state_dict()[name])
