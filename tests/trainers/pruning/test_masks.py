"""Masks keep the strongest, and exactly as many as there should be."""

import pytest
import torch
from sparse_training import filter_plan, network, weight_plan
from torch import nn

from evonas.genome.schedule import Criterion, Schedule
from evonas_trainers.pruning.masks import masks


def layer(values: list[float], gradient: list[float]) -> nn.Module:
    found = nn.Linear(len(values), 1, bias=False)
    with torch.no_grad():
        found.weight.copy_(torch.tensor([values]))
    found.weight.grad = torch.tensor([gradient])
    return found


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [("l1", [0, 1, 1, 0, 0]), ("l2", [0, 1, 1, 0, 0]), ("taylor", [1, 0, 0, 1, 0])],
)
def test_single_weights_are_ranked_by_size_or_by_influence(
    criterion: Criterion, expected: list[int]
) -> None:
    model = layer([1.0, -4.0, 5.0, 2.0, 0.5], [9.0, 1.0, 1.0, -9.0, 1.0])
    plan = weight_plan(model, Schedule(criterion=criterion), {"weight": 2})
    found = masks(model, plan, "global", are_biases_masked=False)
    found.update(1.0, is_frozen=False)
    assert found.kept["weight"].int().tolist() == [expected]


@pytest.mark.parametrize("keep", [0, 1, 3, 5])
def test_of_equal_weights_exactly_so_many_stay(keep: int) -> None:
    model = layer([0.0, 0.0, 1.0, -1.0, 1.0], [0.0] * 5)
    plan = weight_plan(model, Schedule(), {"weight": keep})
    found = masks(model, plan, "layer", are_biases_masked=False)
    found.update(1.0, is_frozen=False)
    assert int(found.kept["weight"].sum()) == keep


def test_what_is_frozen_is_pruned_before_what_is_weaker() -> None:
    model = layer([1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 5)
    plan = weight_plan(model, Schedule(), {"weight": 1})
    found = masks(model, plan, "global", are_biases_masked=False)
    found.update(0.5, is_frozen=False)
    with torch.no_grad():
        model.get_parameter("weight").copy_(torch.tensor([[9.0, 8.0, 1.0, 2.0, 3.0]]))
    found.update(0.75, is_frozen=True)
    assert found.kept["weight"].int().tolist() == [[0, 0, 0, 1, 1]]


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 6), (0.24, 6), (0.25, 5), (0.5, 4), (1.0, 2)])
def test_filters_go_in_whole_numbers(rate: float, expected: int) -> None:
    model = network()
    found = masks(model, filter_plan(model, Schedule(), 2, 4), "global", are_biases_masked=True)
    found.update(rate, is_frozen=False)
    assert int(found.kept["0.weight"].sum()) == expected
    assert torch.equal(found.kept["0.weight"].flatten(), found.kept["1.bias"])


def test_a_group_that_keeps_all_has_no_mask() -> None:
    model = network()
    found = masks(model, filter_plan(model, Schedule(), 2, 4), "global", are_biases_masked=False)
    assert set(found.kept) == {"0.weight"}
