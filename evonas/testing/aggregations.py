"""The contract of aggregations: one target of several ends, and parameters that can be learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from evonas.aggregation import Aggregation, Combination
from evonas.genome.cohort_kinds import AggregatorKind
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.ends import SAMPLES, SHAPES, drawn, is_finite, labels
from evonas.testing.sandbox import same_tensors, seeded

_INPUTS = 3
_CLOSE = 1e-4


@final
@dataclass(frozen=True)
class _Bench:
    """An aggregation with tensors for its inputs and queries."""

    aggregation: Aggregation

    @property
    def kind(self) -> AggregatorKind:
        return self.aggregation.kind

    @cached_property
    def inputs(self) -> Sequence[Tensor]:
        return [drawn(SHAPES[self.kind.inputs], seed) for seed in range(_INPUTS)]

    @cached_property
    def queries(self) -> Sequence[Tensor]:
        count = {"none": 0, "one": 1, "each": _INPUTS}[self.kind.queries]
        return [drawn(SHAPES[self.kind.query_ends], 10 + place) for place in range(count)]

    def started(self, seed: int = 0) -> Combination:
        shapes = ([tuple(one.shape[1:]) for one in ends] for ends in (self.inputs, self.queries))
        with seeded(seed):
            return self.aggregation.start(*shapes)

    def target(self, combination: Combination) -> Tensor:
        return combination(self.inputs, self.queries, labels())


def aggregation_checks(aggregation: Aggregation) -> list[Check]:
    """Return the checks of an aggregation, with its fields as they are."""
    functions = [
        _the_target_is_shaped_as_an_input,
        _the_kind_says_whether_it_learns,
        _fresh_weights_depend_on_the_seed_alone,
        _a_saved_state_gives_the_same_target,
        _the_weights_of_every_sample_sum_to_one,
        _the_order_of_the_samples_does_not_matter,
        _nothing_below_gets_a_gradient if aggregation.kind.detaches else _the_inputs_get_a_gradient,
    ]
    if aggregation.kind.inputs == "logits":
        functions.append(_the_labels_can_be_told_from_the_target)
    if aggregation.kind.has_parameters:
        functions.append(_the_target_moves_the_parameters)
    return [*class_checks(aggregation), *checks_of(_Bench(aggregation), functions)]


def _the_target_is_shaped_as_an_input(bench: _Bench) -> None:
    target = bench.target(bench.started())
    one = tuple(bench.inputs[0].shape)
    wanted = (_INPUTS, *one) if bench.kind.has_rows else one
    assert tuple(target.shape) == wanted, f"the target is {tuple(target.shape)}, not {wanted}"
    assert is_finite(target), "the target is not finite"


def _the_kind_says_whether_it_learns(bench: _Bench) -> None:
    count = sum(one.numel() for one in bench.started().parameters())
    assert bool(count) == bench.kind.has_parameters, (
        f"has_parameters is {bench.kind.has_parameters}, and the module has {count}"
    )


def _fresh_weights_depend_on_the_seed_alone(bench: _Bench) -> None:
    first, again = (bench.started().state_dict() for _ in range(2))
    assert same_tensors(first, again), "one seed gave two sets of weights"


def _a_saved_state_gives_the_same_target(bench: _Bench) -> None:
    first, other = bench.started(0), bench.started(1)
    other.load_state_dict(first.state_dict())
    same = torch.allclose(bench.target(first), bench.target(other), atol=_CLOSE)
    assert same, "something that matters is not in the state"


def _the_weights_of_every_sample_sum_to_one(bench: _Bench) -> None:
    combination = bench.started()
    _ = bench.target(combination)
    weights = combination.weights
    if weights is None:
        return
    one = (SAMPLES, _INPUTS)
    wanted = (_INPUTS, *one) if bench.kind.has_rows else one
    assert tuple(weights.shape) == wanted, f"`weights` is {tuple(weights.shape)}, not {wanted}"
    sums = weights.detach().sum(-1)
    assert torch.allclose(sums, torch.ones_like(sums), atol=_CLOSE), f"they sum to {sums}"


def _the_order_of_the_samples_does_not_matter(bench: _Bench) -> None:
    order = torch.arange(SAMPLES).flip(0)
    combination = bench.started()
    target = bench.target(combination)
    inputs, queries = ([one[order] for one in ends] for ends in (bench.inputs, bench.queries))
    turned = bench.started()(inputs, queries, labels()[order])
    place = 1 if bench.kind.has_rows else 0
    assert torch.allclose(target.index_select(place, order), turned, atol=_CLOSE), (
        "samples change places in the batch, and their targets do not"
    )


def _the_inputs_get_a_gradient(bench: _Bench) -> None:
    target = bench.target(bench.started())
    gradients = torch.autograd.grad(target.square().sum(), [*bench.inputs], allow_unused=True)
    assert any(is_finite(one) for one in gradients), "no gradient flows into the inputs"


def _nothing_below_gets_a_gradient(bench: _Bench) -> None:
    ends = [*bench.inputs, *bench.queries]
    target = bench.target(bench.started())
    assert target.requires_grad, "no gradient flows into the parameters"
    gradients = torch.autograd.grad(target.square().sum(), ends, allow_unused=True)
    assert all(one is None for one in gradients), (
        "`detaches` is said of it, and a gradient flows into the inputs, or the queries"
    )


def _the_labels_can_be_told_from_the_target(bench: _Bench) -> None:
    combination = bench.started()
    loss = combination.label_loss(bench.target(combination), labels())
    assert loss.ndim == 0, f"`label_loss` has the shape {tuple(loss.shape)}"
    assert is_finite(loss), f"`label_loss` is {loss.item()}"


def _the_target_moves_the_parameters(bench: _Bench) -> None:
    combination = bench.started()
    bench.target(combination).square().sum().backward()
    found = {name: one.grad for name, one in combination.named_parameters()}
    bad = [name for name, one in found.items() if one is not None and not is_finite(one)]
    assert not bad, f"the gradient of {bad[0]!r} is not finite"
    moved = [name for name, one in found.items() if one is not None and one.count_nonzero()]
    assert moved, f"none of {sorted(found)} gets a gradient"
