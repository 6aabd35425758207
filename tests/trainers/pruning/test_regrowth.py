"""The cap and the cleared momentum keep soft pruning in front of batch norms from collapsing."""

from collections.abc import Sequence

import torch
from planned_network import backward, in_a_row, network, plan
from torch.optim import SGD

from evonas_trainers.pruning.channels import channels
from evonas_trainers.pruning.presets import Sfp
from evonas_trainers.pruning.regrowth import RegrowthCap
from evonas_trainers.pruning.soft import Event, Soft


def events(preset: Sfp) -> Sequence[Event]:
    model = network()
    pruner = Soft().start(model, plan(preset.schedule(), in_a_row()), torch.Generator())
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    for step in range(12):
        backward(model, step)
        pruner.before_step(optimizer, step / 12)
        optimizer.step()
        pruner.after_step(optimizer, step / 12)
    return pruner.events


def test_without_them_what_was_pruned_is_kept_next_and_the_other_way_round() -> None:
    assert events(Sfp(interval=6, regrowth_cap=0, momentum_reset=False))[1].churn > 0.8


def test_with_them_the_choice_is_steady() -> None:
    assert max(event.churn for event in events(Sfp(interval=6))[1:]) < 0.2


def test_a_capped_gradient_keeps_its_direction_and_the_kept_ones_stay() -> None:
    model = network()
    groups = channels(plan(Sfp().schedule(), in_a_row()), model)
    cap = RegrowthCap(0.5, groups)
    kept = torch.tensor([0, 2, 3, 4, 5, 7])
    cap.prune([torch.tensor([1, 6]), torch.tensor([0])], [kept, torch.arange(1, 6)])
    weight = model.get_parameter("0.weight")
    model.get_parameter("3.weight").grad = torch.zeros(6, 8, 3, 3)
    gradient = torch.randn(8, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    gradient[1] *= 100
    gradient[6] *= 1e-3
    weight.grad = gradient.clone()
    cap.apply()
    mean = gradient[kept].flatten(1).norm(dim=1).mean()
    expected = gradient.clone()
    expected[1] *= 0.5 * mean / gradient[1].norm()
    torch.testing.assert_close(weight.grad, expected)
