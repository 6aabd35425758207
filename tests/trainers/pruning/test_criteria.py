"""Each criterion ranks as its formula, a filter at a time."""

from collections.abc import Callable, Mapping

import pytest
import torch
from planned_network import backward, coupled, in_a_row, network, plan, split
from torch import Tensor, nn

from evonas.errors import ConfigError
from evonas.genome.schedule import Criterion, Schedule
from evonas.pruning_plan import PlannedGroup
from evonas_trainers.pruning.channels import channels
from evonas_trainers.pruning.criteria import check, strengths


def tensors_of(model: nn.Module) -> Mapping[str, Tensor]:
    return {name: tensor.detach() for name, tensor in model.named_parameters()}


def of(tensors: Mapping[str, Tensor], group: PlannedGroup, channel: int) -> list[Tensor]:
    """Return the weights of a channel."""
    return [tensors[name][rows[channel, 0]] for name, rows in group.weights.items()]


def l1(model: nn.Module, group: PlannedGroup, channel: int) -> float:
    return sum(float(w.abs().sum()) for w in of(tensors_of(model), group, channel))


def l2(model: nn.Module, group: PlannedGroup, channel: int) -> float:
    parts = of(tensors_of(model), group, channel)
    return sum(float(w.pow(2).sum()) for w in parts) ** 0.5


def geometric_median(model: nn.Module, group: PlannedGroup, channel: int) -> float:
    tensors = tensors_of(model)
    total = 0.0
    for other in range(group.size):
        pairs = zip(of(tensors, group, channel), of(tensors, group, other), strict=True)
        total += sum(float((a - b).pow(2).sum()) for a, b in pairs) ** 0.5
    return total


def taylor(model: nn.Module, group: PlannedGroup, channel: int) -> float:
    total = 0.0
    for name, rows in group.rows.items():
        gradient = model.get_parameter(name).grad
        assert gradient is not None
        row = rows[channel, 0]
        total += float((tensors_of(model)[name][row] * gradient[row]).abs().sum())
    return total


def bn_scale(model: nn.Module, group: PlannedGroup, channel: int) -> float:
    tensors = tensors_of(model)
    return sum(abs(float(tensors[name][group.rows[name][channel, 0]])) for name in group.norms)


LITERAL: Mapping[Criterion, Callable[[nn.Module, PlannedGroup, int], float]] = {
    "l1": l1,
    "l2": l2,
    "geometric-median": geometric_median,
    "taylor": taylor,
    "bn-scale": bn_scale,
}
CASES = [
    (criterion, group)
    for criterion in LITERAL
    for group in (*in_a_row(), *split(), *coupled())
    if criterion != "bn-scale" or group.norms
]


@pytest.mark.parametrize(("criterion", "group"), CASES)
def test_a_strength_is_what_the_formula_says(criterion: Criterion, group: PlannedGroup) -> None:
    model = network()
    for norm in ("1.weight", "4.weight"):
        nn.init.normal_(model.get_parameter(norm), generator=torch.Generator().manual_seed(1))
    backward(model, 0)
    (found,) = channels(plan(Schedule(), [group]), model)
    expected = [LITERAL[criterion](model, group, channel) for channel in range(group.size)]
    torch.testing.assert_close(strengths(criterion, found), torch.tensor(expected))


def test_what_the_loss_does_not_reach_has_no_influence() -> None:
    model = network()
    found = channels(plan(Schedule(), in_a_row()), model)
    assert strengths("taylor", found[0]).eq(0).all()


def test_channels_without_a_norm_cannot_be_ranked_by_it() -> None:
    model = network(is_normed=False)
    found = channels(plan(Schedule(), in_a_row(is_normed=False)), model)
    with pytest.raises(ConfigError, match=r"channels '0.weight' have no batch norm"):
        check("bn-scale", found)
