"""The contract of transfer losses: a finite number for every sample, and it moves what learns."""

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
        _every_sample_has_a_finite_loss,
        _the_end_that_learns_gets_a_gradient,
        _the_source_may_be_detached,
        _the_same_ends_cost_the_same,
        _a_sample_keeps_its_loss_wherever_it_stands,
        _a_dead_end_makes_no_nan,
        _the_gradient_can_be_differentiated,
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


def _every_sample_has_a_finite_loss(ends: _Ends) -> None:
    loss = ends.transfer.loss(ends.to(), ends.source(), labels())
    assert loss.shape == (SAMPLES,), (
        f"the loss of {SAMPLES} samples has the shape {tuple(loss.shape)}; return one for each"
    )
    assert is_finite(loss), f"the losses are {loss.tolist()}"


def _the_end_that_learns_gets_a_gradient(ends: _Ends) -> None:
    to = ends.to()
    ends.transfer.loss(to, ends.source(), labels()).mean().backward()
    assert is_finite(to.grad), "the gradient is not finite, or there is none"
    assert to.grad is not None
    assert to.grad.count_nonzero(), "the gradient is zero everywhere: nothing would be learned"


def _the_source_may_be_detached(ends: _Ends) -> None:
    to, source = ends.to(), ends.source()
    given = None if source is None else source.detach()
    ends.transfer.loss(to, given, labels()).mean().backward()
    assert is_finite(to.grad), "the gradient is not finite, or there is none"


def _the_same_ends_cost_the_same(ends: _Ends) -> None:
    losses: list[Tensor] = []
    for seed in (0, 1):
        with seeded(seed):
            losses.append(ends.transfer.loss(ends.to(), ends.source(), labels()))
    first, again = (loss.tolist() for loss in losses)
    assert first == again, f"the losses are {first} and then {again}; they must not be drawn"


def _a_sample_keeps_its_loss_wherever_it_stands(ends: _Ends) -> None:
    order = torch.arange(SAMPLES).flip(0)
    to, source, targets = ends.to().detach(), ends.source(), labels()
    source = None if source is None else source.detach()
    turned = None if source is None else source[order]
    first = ends.transfer.loss(to, source, targets)
    other = ends.transfer.loss(to[order], turned, targets[order])[order]
    assert torch.allclose(first, other, rtol=_CLOSE, atol=_CLOSE), f"{first} became {other}"


def _a_dead_end_makes_no_nan(ends: _Ends) -> None:
    source = ends.source()
    for learns, teaches in ((0, 1), (1, 0), (0, 0)):
        to = (learns * ends.to()).detach().requires_grad_()
        given = None if source is None else (teaches * source).detach()
        loss = ends.transfer.loss(to, given, labels())
        loss.mean().backward()
        assert is_finite(loss), f"the losses of ends that are zero are {loss.tolist()}"
        assert is_finite(to.grad), "the gradient of ends that are zero is not finite"


def _the_gradient_can_be_differentiated(ends: _Ends) -> None:
    """Virtual steps of learned matching are differentiated, so that of dead ends is finite, too."""
    source = ends.source()
    for learns, teaches in ((1, 1), (0, 1), (1, 0), (0, 0)):
        to = (learns * ends.to()).detach().requires_grad_()
        given = None if source is None else (teaches * source).detach()
        loss = ends.transfer.loss(to, given, labels()).mean()
        (first,) = torch.autograd.grad(loss, to, create_graph=True)
        if first.requires_grad:
            (second,) = torch.autograd.grad(first.sum(), to, materialize_grads=True)
            assert is_finite(second), (
                f"the second gradient is {second}; torch's norms have none at 0"
            )


def _a_batch_without_two_of_a_class_makes_no_nan(ends: _Ends) -> None:
    to, source = ends.to(), ends.source()
    few = slice(0, 2)
    loss = ends.transfer.loss(to[few], None if source is None else source[few], labels()[few])
    loss.mean().backward()
    assert is_finite(loss), f"the losses of two samples of two classes are {loss.tolist()}"
    assert is_finite(to.grad), "its gradient is not finite"


def _what_comes_in_stays_as_it_is(ends: _Ends) -> None:
    to, source, targets = ends.to().detach(), ends.source(), labels()
    source = None if source is None else source.detach()
    given = [one.clone() for one in (to, targets, *([] if source is None else [source]))]
    _ = ends.transfer.loss(to, source, targets)
    after = [to, targets, *([] if source is None else [source])]
    same = all(torch.equal(one, other) for one, other in zip(given, after, strict=True))
    assert same, "the loss changes its arguments; other edges read them too"
