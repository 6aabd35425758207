"""Dual paths: what is kept learns where weights are pruned, what is pruned where they are not."""

import math
from copy import deepcopy
from typing import Literal

import pytest
import torch
from sparse_training import WEIGHTS, Training, batch, filter_plan, network, weight_plan
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from evonas import plugins
from evonas.errors import ConfigError
from evonas.genome.schedule import Curve, Schedule
from evonas.state import State
from evonas_trainers.pruning.dual_path import DualPath, full_path, mutual, pruned_path

SCHEDULE = Schedule(interval=2, momentum_reset=False, regrowth_cap=0)
SILENT = DualPath(kl_weight=0)


def started(rule: DualPath = SILENT, steps: int = 3) -> Training:
    """Return a training some steps on, in which half the weights are pruned."""
    model = network()
    training = Training.begin(rule, weight_plan(model, SCHEDULE), model)
    for _ in range(steps):
        training.backward()
        training.step()
    return training


def own(companion: nn.Module) -> dict[str, Tensor]:
    """Return the companion's tensors under the names that the model has for its own."""
    return {
        f"{name}.{part}": tensor
        for name, module in zip(("1", "4", "8"), companion.children(), strict=True)
        for part, tensor in (*module.named_parameters(), *module.named_buffers())
    }


def masks_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: model.get_parameter(name) != 0 for name in WEIGHTS}


def dense_of(training: Training) -> dict[str, Tensor]:
    """Return the weights as the full path sees them."""
    training.backward()
    return {name: training.model.get_parameter(name).detach().clone() for name in WEIGHTS}


def gradients(
    model: nn.Module, tensors: dict[str, Tensor], wanted: list[str]
) -> tuple[dict[str, Tensor], float]:
    """Return the gradients and the loss of one path, by names of the model."""
    inputs, targets = batch()
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors.items()}
    loss = F.cross_entropy(functional_call(deepcopy(model).train(), leaves, (inputs,)), targets)
    found = torch.autograd.grad(loss, [leaves[name] for name in wanted])
    return dict(zip(wanted, found, strict=True)), loss.item()


def test_kept_weights_learn_on_the_pruned_path_and_pruned_ones_on_the_full_path() -> None:
    training = started()
    model, masks = training.model, masks_of(training.model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    full_own = {
        name: tensor.detach().clone()
        for name, tensor in own(training.pruner.companion).items()
        if tensor.is_floating_point() and "running" not in name
    }
    dense = dense_of(training)
    names = [*WEIGHTS, "0.bias"]
    pruned, _ = gradients(model, {**before, **{n: dense[n] * masks[n] for n in dense}}, names)
    full, _ = gradients(model, {**before, **full_own, **dense}, names)
    for name, mask in masks.items():
        found = model.get_parameter(name).grad
        assert found is not None
        assert 0 < int(mask.sum()) < mask.numel()
        torch.testing.assert_close(found[mask], pruned[name][mask])
        torch.testing.assert_close(found[~mask], full[name][~mask])
    shared = model.get_parameter("0.bias").grad
    torch.testing.assert_close(shared, pruned["0.bias"] + full["0.bias"], atol=1e-7, rtol=1e-4)


def test_each_path_has_the_gradient_of_one_entry_at_a_time() -> None:
    weight = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    kept = torch.tensor([1.0, 0.0, 1.0])
    (gradient,) = torch.autograd.grad(pruned_path(weight, kept, 0.5).sum(), weight)
    assert gradient.tolist() == [1, 0, 1]
    assert pruned_path(weight, kept, 0.5).tolist() == [1, -1, 3]
    (gradient,) = torch.autograd.grad(full_path(weight, kept).sum(), weight)
    assert gradient.tolist() == [0, 1, 0]
    assert full_path(weight, kept).tolist() == [1, -2, 3]


def softened(logits: Tensor, temperature: float) -> list[list[float]]:
    """Return the probabilities, number by number."""
    found: list[list[float]] = []
    for row in logits.tolist():
        powers = [math.exp(logit / temperature) for logit in row]
        found.append([power / sum(powers) for power in powers])
    return found


def divergence(targets: list[list[float]], others: list[list[float]]) -> float:
    total = 0.0
    for target, other in zip(targets, others, strict=True):
        for p, q in zip(target, other, strict=True):
            total += p * (math.log(p) - math.log(q))
    return total / len(targets)


def test_the_paths_learn_from_each_other_by_the_two_divergences() -> None:
    generator = torch.Generator().manual_seed(0)
    pruned, full = torch.randn(2, 5, 4, generator=generator).unbind()
    p, f = softened(pruned, 2.0), softened(full, 2.0)
    expected = 4 * (divergence(f, p) + divergence(p, f))
    assert mutual(pruned, full, 2.0).item() == pytest.approx(expected, rel=1e-5)


def test_a_target_of_the_divergences_gets_no_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    pruned, full = torch.randn(2, 5, 4, generator=generator).unbind()
    pruned.requires_grad_()
    (found,) = torch.autograd.grad(mutual(pruned, full, 2.0), pruned)
    p, f = torch.tensor(softened(pruned, 2.0)), torch.tensor(softened(full, 2.0))
    torch.testing.assert_close(found, 2.0 * (p - f) / 5)


def test_the_loss_is_that_of_both_paths_and_their_divergences_from_the_warm_up_on() -> None:
    training = started(DualPath(kl_from=0.5, kl_weight=3))
    inputs, targets = batch()
    outputs: list[Tensor] = []

    def criterion(out: Tensor) -> Tensor:
        outputs.append(out.detach())
        return F.cross_entropy(out, targets)

    early = training.pruner.loss(inputs, criterion, 0.49).item()
    late = training.pruner.loss(inputs, criterion, 0.5).item()
    expected = sum(F.cross_entropy(out, targets).item() for out in outputs[:2])
    assert len(outputs) == 4
    assert early == pytest.approx(expected, rel=1e-5)
    agreement = mutual(outputs[2], outputs[3], 2.0).item()
    assert agreement > 1e-4
    assert late - early == pytest.approx(3 * agreement, rel=1e-3)


def test_each_path_keeps_its_own_running_statistics() -> None:
    training = started()
    model, companion = deepcopy(training.model), deepcopy(training.pruner.companion)
    inputs, _ = batch()
    tensors = own(companion)
    masks = masks_of(model)
    dense = dense_of(training)
    functional_call(model, {n: dense[n] * masks[n] for n in dense}, (inputs,))
    expected = dict(model.named_buffers())
    for name, buffer in training.model.named_buffers():
        torch.testing.assert_close(buffer, expected[name])
    functional_call(model, {**dense, **tensors}, (inputs,))
    for name, buffer in own(training.pruner.companion).items():
        torch.testing.assert_close(buffer, tensors[name])
    first, second = training.model.get_buffer("1.running_var"), tensors["1.running_var"]
    assert not torch.allclose(first, second)


def test_the_companion_is_trained_and_dropped() -> None:
    model = network()
    names = set(State.of(model).tensors)
    training = Training.begin(DualPath(), weight_plan(model, SCHEDULE), model)
    before = {name: tensor.clone() for name, tensor in own(training.pruner.companion).items()}
    training.run()
    assert set(State.of(model, training.optimizer).tensors) == names
    assert all(
        not torch.equal(tensor, before[name])
        for name, tensor in own(training.pruner.companion).items()
    )


def test_what_is_handed_over_is_the_pruned_path() -> None:
    training = started(DualPath())
    inputs, _ = batch()
    model, masks = deepcopy(training.model), masks_of(training.model)
    dense = dense_of(training)
    training.pruner.after_step(training.optimizer, 0.5)
    training.pruner.finish(training.optimizer)
    pruned = {name: dense[name] * masks[name] for name in dense}
    for name, tensor in pruned.items():
        assert torch.equal(training.model.get_parameter(name), tensor)
    expected = functional_call(model, pruned, (inputs,))
    torch.testing.assert_close(training.model(inputs), expected)


def test_a_pruned_channel_is_zero_as_if_it_had_been_removed() -> None:
    model = network()
    with torch.no_grad():
        model.get_parameter("1.bias").fill_(0.7)
    training = Training.begin(DualPath(), filter_plan(model, SCHEDULE, 2, 3), model)
    for _ in range(3):
        training.backward()
        training.step()
    after_norm = model[:2](batch()[0])
    assert int((after_norm == 0).flatten(2).all(2).all(0).sum()) == 4


def test_a_pruned_filter_still_learns() -> None:
    model = network()
    training = Training.begin(DualPath(), filter_plan(model, SCHEDULE, 2, 3), model)
    training.backward()
    training.step()
    weight = model.get_parameter("0.weight")
    gone = (weight == 0).flatten(1).all(1)
    training.backward()
    assert int(gone.sum()) == 4
    assert weight.grad is not None
    assert bool((weight.grad[gone] != 0).flatten(1).any(1).all())


def test_everything_of_a_pruned_filter_is_zero_in_the_end() -> None:
    model = network()
    Training.begin(DualPath(), filter_plan(model, SCHEDULE, 2, 3), model).run()
    gone = (model.get_parameter("0.weight") == 0).flatten(1).all(1)
    assert int(gone.sum()) == 4
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(model.get_parameter(name) == 0, gone)
    assert bool((model.get_parameter("3.weight")[:, gone] == 0).all())


def test_the_criterion_counts_on_both_paths() -> None:
    training = started()
    inputs, targets = batch()
    parts: list[float] = []

    def criterion(out: Tensor) -> Tensor:
        loss = F.cross_entropy(out, targets)
        parts.append(loss.item())
        return loss

    total = training.pruner.loss(inputs, criterion, 0.5).item()
    assert len(parts) == 2
    assert total == pytest.approx(sum(parts), rel=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_same_training_gives_the_same_bits(optimizer: Literal["sgd", "adamw"]) -> None:
    states: list[bytes] = []
    for _ in range(2):
        model = network()
        training = Training.begin(DualPath(), weight_plan(model, SCHEDULE), model, optimizer)
        training.run()
        states.append(State.of(model, training.optimizer).to_bytes())
    assert states[0] == states[1]


def test_the_loss_falls() -> None:
    model = network()
    schedule = Schedule(rate=Curve(kind="cubic", end=1.0, until=0.75), interval=2)
    training = Training.begin(DualPath(), weight_plan(model, schedule), model, steps=60)
    training.run()
    model.train()
    inputs, targets = batch()
    assert F.cross_entropy(model(inputs), targets).item() < 0.5
    assert F.cross_entropy(network()(inputs), targets).item() > 1


@pytest.mark.parametrize("fields", [{"temperature": 0.0}, {"kl_from": 1.5}, {"kl_weight": -1.0}])
def test_impossible_settings_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="needs"):
        plugins.from_table(DualPath, fields, "rule")
