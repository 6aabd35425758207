"""The contract of transfer losses: a finite scalar that moves the end which learns."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from evonas.genome.cohort_kinds import LossKind
from evonas.testing.check import Check, checks_of
from evonas.testing.classes import class_checks
from evonas.testing.ends import SAMPLES, SHAPES, drawn, is_finite, labels
from evonas.testing.sandbox import seeded
from evonas.transfer import Transfer

_CLOSE = 1e-4


@final
@dataclass(frozen=True)
class _Ends:
    """A loss with tensors for both of its ends."""

    transfer: Transfer

    @property
    def kind(self) -> LossKind:
        return self.transfer.kind

    def to(self) -> Tensor:
        return drawn(SHAPES[self.kind.ends], 1)

    def source(self) -> Tensor | None:
        return drawn(SHAPES[self.kind.ends], 2) if self.kind.has_source else None


def transfer_checks(transfer: Transfer) -> list[Check]:
    """Return the checks of a loss, with its fields as they are."""
    functions = [
        _the_kind_can_be_met,
        _the_loss_is_a_finite_scalar,
        _the_end_that_learns_gets_a_gradient,
        _the_source_may_be_detached,
        _the_same_ends_cost_the_same,
        _the_order_of_the_samples_does_not_matter,
        _a_dead_end_makes_no_nan,
        _a_batch_without_two_of_a_class_makes_no_nan,
        _what_comes_in_stays_as_it_is,
    ]
    return [*class_checks(transfer), *checks_of(_Ends(transfer), functions)]


def _the_kind_can_be_met(ends: _Ends) -> None:
    kind = ends.kind
    assert kind.per_class >= 1, f"per_class is {kind.per_class}; a batch holds 1 of a class or more"
    assert kind.weight > 0, f"weight is {kind.weight}; a new edge starts with it"
    assert kind.max_batch == 0 or kind.max_batch >= kind.per_class, (
        f"max_batch is {kind.max_batch}, and per_class {kind.per_class}"
    )
    assert kind.adapts != "embed" or kind.ends == "vectors", "`embed` makes vectors of the ends"


def _the_loss_is_a_finite_scalar(ends: _Ends) -> None:
    loss = ends.transfer.loss(ends.to(), ends.source(), labels())
    assert loss.ndim == 0, f"the loss has the shape {tuple(loss.shape)}; average over the batch"
    assert is_finite(loss), f"the loss is {loss.item()}"


def _the_end_that_learns_gets_a_gradient(ends: _Ends) -> None:
    to = ends.to()
    ends.transfer.loss(to, ends.source(), labels()).backward()
    assert is_finite(to.grad), "the gradient is not finite, or there is none"
    assert to.grad is not None
    assert to.grad.count_nonzero(), "the gradient is zero everywhere: nothing would be learned"


def _the_source_may_be_detached(ends: _Ends) -> None:
    to, source = ends.to(), ends.source()
    ends.transfer.loss(to, None if source is None else source.detach(), labels()).backward()
    assert is_finite(to.grad), "the gradient is not finite, or there is none"


def _the_same_ends_cost_the_same(ends: _Ends) -> None:
    losses: list[Tensor] = []
    for seed in (0, 1):
        with seeded(seed):
            losses.append(ends.transfer.loss(ends.to(), ends.source(), labels()))
    first, again = (float(loss.detach()) for loss in losses)
    assert first == again, f"the loss is {first} and then {again}; it must not draw"


def _the_order_of_the_samples_does_not_matter(ends: _Ends) -> None:
    order = torch.arange(SAMPLES).flip(0)
    to, source, targets = ends.to().detach(), ends.source(), labels()
    source = None if source is None else source.detach()
    turned = None if source is None else source[order]
    first = float(ends.transfer.loss(to, source, targets))
    other = float(ends.transfer.loss(to[order], turned, targets[order]))
    assert abs(first - other) <= _CLOSE * max(1, abs(first)), f"{first} became {other}"


def _a_dead_end_makes_no_nan(ends: _Ends) -> None:
    source = ends.source()
    for learns, teaches in ((0, 1), (1, 0), (0, 0)):
        to = (learns * ends.to()).detach().requires_grad_()
        given = None if source is None else (teaches * source).detach()
        loss = ends.transfer.loss(to, given, labels())
        loss.backward()
        assert is_finite(loss), f"the loss of ends that are zero is {loss.item()}"
        assert is_finite(to.grad), "the gradient of ends that are zero is not finite"


def _a_batch_without_two_of_a_class_makes_no_nan(ends: _Ends) -> None:
    to, source = ends.to(), ends.source()
    few = slice(0, 2)
    loss = ends.transfer.loss(to[few], None if source is None else source[few], labels()[few])
    loss.backward()
    assert is_finite(loss), f"the loss of two samples of two classes is {loss.item()}"
    assert is_finite(to.grad), "its gradient is not finite"


def _what_comes_in_stays_as_it_is(ends: _Ends) -> None:
    to, source, targets = ends.to().detach(), ends.source(), labels()
    source = None if source is None else source.detach()
    given = [one.clone() for one in (to, targets, *([] if source is None else [source]))]
    _ = ends.transfer.loss(to, source, targets)
    after = [to, targets, *([] if source is None else [source])]
    same = all(torch.equal(one, other) for one, other in zip(given, after, strict=True))
    assert same, "the loss changes its arguments; other edges read them too"
